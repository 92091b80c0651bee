"""ONNX Runtime's static int8 quantisation: other arithmetic, for scale."""
import numpy as np

from .engines import OnnxRuntime

CALIBRATION_ROWS, STEP = 512, 64


def chunks(name, free, rows):
    """Feeds for `rows`: many at a time where the network's batch is free, otherwise one."""
    step = STEP if free else 1
    return ({name: rows[i:i + step]} for i in range(0, len(rows), step))


def fed(path):
    """The network's only input's name, and whether its batch is free."""
    import onnx

    from . import networks
    model = onnx.load(str(path), load_external_data=False)
    inputs = networks.graph_inputs(model)
    if len(inputs) != 1:
        raise RuntimeError("only networks of one input are quantised here")
    return inputs[0].name, networks.batch_is_free(model)


def quantize(path, target, rows):
    """quantize_static with what ONNX Runtime recommends for x86-64: QDQ, uint8 activations, int8 weights by channel."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.feeds = chunks(*fed(path), rows)

        def get_next(self):
            return next(self.feeds, None)

    prepared = target.with_suffix(".prepared.onnx")
    quant_pre_process(str(path), str(prepared), skip_symbolic_shape=True)
    quantize_static(str(prepared), str(target), Reader(), quant_format=QuantFormat.QDQ, per_channel=True,
                    activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)
    prepared.unlink()


class OnnxRuntimeInt8(OnnxRuntime):
    def convert(self, path, inputs):
        self.quantized = self.converted(path, {}).with_suffix(".int8.onnx")
        if not self.quantized.exists():
            partial = self.quantized.with_suffix(".partial.onnx")
            quantize(path, partial, np.load(self.settings["calib"])[:CALIBRATION_ROWS])
            partial.rename(self.quantized)

    def load(self, path, inputs):
        super().load(self.quantized, inputs)

    def file_bytes(self):
        return self.quantized.stat().st_size


def score(session, path, x, y):
    """Top-1 in percent for whole-numbered labels, otherwise the relative error ||o - y|| / ||y||."""
    outputs = np.concatenate([session.run(None, feed)[0] for feed in chunks(*fed(path), x)])
    if np.issubdtype(y.dtype, np.integer):
        return 100.0 * float(np.mean(outputs.reshape(len(y), -1).argmax(axis=1) == y.ravel()))
    return float(np.linalg.norm(outputs.ravel() - y.ravel()) / np.linalg.norm(y.ravel()))
