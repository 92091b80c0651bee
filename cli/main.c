/* The rango tool: finds the subcommand. */
#include <stdio.h>
#include <string.h>

#include "args.h"
#include "blas.h"
#include "commands.h"
#include "output.h"
#include "progress.h"

const command commands[] = {
    {"inspect", "layers, sizes, multiply-accumulates, spectra and intrinsic dimension of a model",
     "MODEL [--calib X.npy] [--dim SYMBOL=SIZE] | --ops [MODEL]",
     "Shapes are those of batch 1: symbolic sizes are 1 where --dim doesn't say otherwise. With --calib, every layer "
     "that\n"
     "compression would look at is shown with the principal components that hold 90, 99 and 99.9 % of the variance of "
     "its\n"
     "outputs, and with their intrinsic dimension.",
     "rango inspect classifier.onnx --calib calib.npy", command_inspect, true},
    {"compress", "writes a smaller model within an accuracy budget",
     "MODEL -o OUT --calib X.npy [--val VX.npy [--labels VY.npy]] [BUDGET]",
     "BUDGET is one of --max-drop (with integer labels; 0.5 if none is given), --max-error-ratio (with floating-point\n"
     "labels), --min-agreement (without labels; 99 if none is given), --max-output-error (without labels, "
     "regression),\n"
     "--cut-params and --cut-macs. Calibration data is unlabelled and fits the factors; validation data chooses how "
     "far to\n"
     "go. Without --val every fourth row of the calibration data is kept for that. The output is written whole or not "
     "at\n"
     "all.",
     "rango compress classifier.onnx -o smaller.onnx --calib calib.npy --val val_x.npy --labels val_y.npy --max-drop "
     "0.5",
     command_compress, true},
    {"calibrate", "collects statistics once, for any number of compressions", "MODEL --calib X.npy -o FILE.rgs",
     "They are what compress collects first, and the same model comes out of compress --stats FILE.rgs with the same\n"
     "--calib, --seed and --memory. A calibration that was interrupted goes on where it was when it is called again.",
     "rango calibrate classifier.onnx --calib calib.npy -o classifier.rgs", command_calibrate, true},
    {"run", "runs a model on arrays, images or tables", "MODEL --input [NAME=]X.npy ... [--output [NAME=]Y.npy ...]",
     "Arrays are .npy files, one .npz keyed by input name, or serialized ONNX tensors (.pb). A .csv file, an image or\n"
     "a folder of images (PNG, JPEG) stands for one. A model whose batch is fixed is fed part by part and the outputs\n"
     "are joined.",
     "rango run classifier.onnx --input image.npy --output scores.npy --profile", command_run, false},
    {"eval", "scores a model on labelled data: top-1 and top-5, or relative error",
     "MODEL --input [NAME=]X.npy ... [--labels Y.npy]",
     "Integer labels: percent of rows whose largest score is the label's. Floating-point labels: ||output - y|| / "
     "||y||\n"
     "over the whole set. The model's first output is scored. Folders with a sub-folder for each class, and .csv\n"
     "files with --label-column, bring their labels along.",
     "rango eval classifier.onnx --input test_x.npy --labels test_y.npy", command_eval, false},
    {"bench", "times a model: plain C, SIMD, and both on the compressed model",
     "MODEL [--compressed OUT] [--input X.npy [--labels Y.npy]] [--batch N] [--threads N]",
     "Every row runs in a process of its own; the rows' processes take turns, so that what else the machine does falls "
     "on\n"
     "all of them. Without --input the model is fed random numbers. A time is the median of all rounds, of one call on "
     "the\n"
     "whole batch; memory is what the row's process grew by over an empty one, inputs excluded.",
     "rango bench classifier.onnx --compressed smaller.onnx --threads 1", command_bench, false},
    {"tune", "measures this machine's costs, for compress --costs, or a GPU's tiles",
     "[-o FILE] [--threads N] | --device DEVICE",
     "With --device, what each tile of matrix products takes on that GPU is measured and kept in the cache folder, "
     "for\n"
     "this kind of device and driver: networks run there by it from then on, until the file is removed.",
     "rango tune -o costs.json\n  rango tune --device vulkan", command_tune, false},
    {"manifold", "intrinsic dimension of data, without a model; projects it to few coordinates",
     "X.npy [--project N [--method pca|whitney] -o Y.npy]",
     "Rows are samples; what follows the first axis is flattened. --project takes the leading principal components, "
     "or\n"
     "with --method whitney the projection that keeps all samples apart: the shortest of the lines between two of "
     "them\n"
     "(secants) stays as long as can be. kappa says how much of its length that one keeps.",
     "rango manifold samples.npy --project 9 --method whitney -o coordinates.npy", command_manifold, true},
    {"svd", "truncated singular value decomposition of a matrix", "A.npy --rank R [--tolerance T] -o F.npz",
     "Writes u, s and vt with A close to u * diag(s) * vt, and prints the relative error.",
     "rango svd weights.npy --rank 32 -o factors.npz", command_svd, true},
    {"devices", "CPU features, the kernels chosen, GPUs", "", NULL, "rango devices", command_devices, true},
};
const size_t command_count = sizeof commands / sizeof *commands;

static const char *command_name(const void *list, size_t i) { return ((const command *)list)[i].name; }

const command *args_find_command(const char *name) {
  for (size_t i = 0; i < command_count; i++)
    if (strcmp(commands[i].name, name) == 0) return &commands[i];
  return NULL;
}

static int print_help(void) {
  printf("rango %s: compresses trained networks (ONNX) and runs them fast\n\nUsage: rango COMMAND ...\n\nCommands:\n",
         rango_version());
  for (size_t i = 0; i < command_count; i++) printf("  %-10s %s\n", commands[i].name, commands[i].summary);
  printf("\n'rango COMMAND --help' tells a command's options, with an example.\n"
         "Exit codes: 0 done, 1 the work failed (the reason is on stderr, inputs are untouched), 2 wrong usage.\n"
         "\nExample:\n  rango inspect classifier.onnx\n");
  return finish_output();
}

int main(int count, char **arguments) {
  if (count < 2) {
    fputs("rango: no command given\nTry 'rango --help'.\n", stderr);
    return EXIT_USAGE;
  }
  const char *name = arguments[1];
  if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) return print_help();
  if (strcmp(name, "--version") == 0) {
    printf("rango %s\n", rango_version());
    return finish_output();
  }
  if (strcmp(name, BENCH_ROW_COMMAND) == 0) return bench_row_main(count - 2, arguments + 2);
  const command *found = args_find_command(name);
  if (!found) {
    const char *meant = args_closest(name, command_name, commands, command_count);
    if (meant) return args_wrong(NULL, "unknown command '%s': did you mean '%s'?", name, meant);
    return args_wrong(NULL, "unknown command '%s'", name);
  }
  if (found->linear_algebra) blas_use_vectors(arguments);
  progress_catch_signals();
  int code = found->run(count - 2, arguments + 2);
  progress_clear();
  return code == EXIT_DONE ? finish_output() : code;
}
