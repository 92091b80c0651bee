"""LSTM, GRU, RNN."""
import numpy as np

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
FUNCTIONS = {"LSTM": 3, "GRU": 2, "RNN": 1}


def activations(suite, count):
    """Names with their parameters; ONNX Runtime hands alpha and beta out in order to those that take them."""
    takes = {"Relu": (), "Tanh": (), "Sigmoid": (), "Affine": (0.5, 0.25), "LeakyRelu": (0.1,), "HardSigmoid": (0.3, 0.4),
             "Elu": (0.7,), "Softsign": (), "Softplus": ()}
    names = [suite.pick(*takes) for _ in range(count)]
    alphas = [takes[name][0] for name in names if takes[name]]
    betas = [takes[name][1] for name in names if len(takes[name]) > 1]
    return {"activations": names, "activation_alpha": alphas or None, "activation_beta": betas or None}


def recurrent(suite, op):
    direction = suite.pick("forward", "reverse", "bidirectional")
    dirs = 2 if direction == "bidirectional" else 1
    steps, batch, size, hidden = suite.integer(1, 7), suite.integer(1, 4), suite.integer(1, 9), suite.integer(1, 12)
    gates = GATES[op] * hidden
    x, w = suite.floats(steps, batch, size), suite.floats(dirs, gates, size, low=-0.5, high=0.5)
    r = suite.floats(dirs, gates, hidden, low=-0.5, high=0.5)
    bias = suite.floats(dirs, 2 * gates) if suite.pick(True, False) else None
    lengths = suite.integers(batch, low=1, high=steps, dtype=np.int32) if suite.pick(True, False, False) else None
    if lengths is not None:
        lengths[suite.integer(0, batch - 1)] = steps
    h = suite.floats(dirs, batch, hidden) if suite.pick(True, False) else None
    inputs = [x, w, r, bias, lengths, h]
    attributes = {"hidden_size": hidden, "direction": direction}
    if op == "LSTM":
        inputs += [suite.floats(dirs, batch, hidden) if suite.pick(True, False) else None,
                   suite.floats(dirs, 3 * hidden) if suite.pick(True, False, False) else None]
        attributes["input_forget"] = suite.pick(None, None, 1)
    if op == "GRU":
        attributes["linear_before_reset"] = suite.pick(0, 1)
    if suite.pick(True, False, False):
        attributes.update(activations(suite, FUNCTIONS[op] * dirs))
    if suite.pick(True, False, False):
        attributes["clip"] = 0.5
    while inputs[-1] is None:
        inputs.pop()
    outputs = suite.pick([1, 1, 1], [1, 0, 0], [0, 1, 1], [1, 1, 0])[:3 if op == "LSTM" else 2]
    while not outputs[-1]:
        outputs.pop()
    suite.case(op, inputs, opset=suite.pick(7, 14), outputs=outputs,
               constant=suite.pick((), (1, 2), [1, 2] + ([3] if bias is not None else [])), **attributes)


def generate(suite):
    for op in GATES:
        for _ in range(40 if op != "RNN" else 20):
            recurrent(suite, op)
    # One long enough for whole vectors of hidden units.
    for op in GATES:
        gates = GATES[op] * 48
        suite.case(op, [suite.floats(5, 2, 33), suite.floats(1, gates, 33, low=-0.3, high=0.3),
                        suite.floats(1, gates, 48, low=-0.3, high=0.3), suite.floats(1, 2 * gates)],
                   constant=(1, 2, 3), outputs=2, hidden_size=48)
