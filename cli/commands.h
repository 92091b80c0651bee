/* The subcommands, one a file. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

int command_inspect(int count, char **arguments);
int command_compress(int count, char **arguments);
int command_calibrate(int count, char **arguments);
int command_run(int count, char **arguments);
int command_eval(int count, char **arguments);
int command_bench(int count, char **arguments);
int command_tune(int count, char **arguments);
int command_manifold(int count, char **arguments);
int command_svd(int count, char **arguments);
int command_devices(int count, char **arguments);

/* A row of `bench` in a process of its own (bench_row.c): not for users. */
#define BENCH_ROW_COMMAND "--bench-row"
int bench_row_main(int count, char **arguments);

#endif
