"""Shapes and data movement: views, arranging, slicing, padding, indexing, constants."""
import numpy as np

TYPES = (np.float32, np.float32, np.float64, np.float16, np.int64, np.int32, np.uint8, np.bool_)


def ints(*values):
    return np.array(values, np.int64)


def data(suite, shape, dtype=None):
    dtype = dtype or suite.pick(*TYPES)
    return (np.arange(np.prod(shape, dtype=int)).reshape(shape) % 251 % (2 if dtype == np.bool_ else 251)).astype(dtype)


def constant(suite, *indices):
    return suite.pick((), indices)


def views(suite):
    for shape, target in (([2, 3, 4], [6, -1]), ([2, 3, 4], [0, 12]), ([2, 3, 4], [0, 0, 2, 2]), ([2, 3, 4], [-1]),
                          ([1], []), ([2, 6], [0, -1, 3]), ([4, 0, 2], [0, -1]), ([2, 12], [-1, 0, 1])):
        for _ in range(2):
            suite.case("Reshape", [data(suite, shape), np.array(target, np.int64)], opset=suite.pick(5, 13, 14),
                       constant=constant(suite, 1))
    suite.case("Reshape", [data(suite, [0, 3], np.float32), ints(3, 0)], opset=14, allowzero=1)
    for axis in (0, 1, 2, 3, -1, -2):
        suite.case("Flatten", [data(suite, [2, 3, 4], np.float32)], opset=13, axis=axis)
    for axes in ([0], [0, -2], [3], None):
        x = data(suite, [1, 3, 1, 1, 2])
        suite.case("Squeeze", [x], opset=11, axes=axes if axes is None or min(axes) >= 0 else [0, 3])
        suite.case("Squeeze", [x, None if axes is None else ints(*axes)], opset=13, constant=constant(suite, 1))
    for axes in ([0], [1, 3], [-1], [0, -1]):
        suite.case("Unsqueeze", [data(suite, [2, 3])], opset=11, axes=axes)
        suite.case("Unsqueeze", [data(suite, [2, 3]), ints(*axes)], opset=13, constant=constant(suite, 1))
    suite.case("Identity", [data(suite, [2, 3])])
    suite.case("Dropout", [suite.floats(2, 3)], opset=12)


def arranging(suite):
    for _ in range(12):
        x = data(suite, suite.shape(1, 5))
        suite.case("Transpose", [x], opset=13, perm=suite.pick(None, suite.rng.permutation(x.ndim).tolist()))
    for _ in range(12):
        shape = suite.shape(1, 4)
        axis = suite.integer(0, len(shape) - 1)
        dtype = suite.pick(*TYPES)
        parts = [data(suite, shape[:axis] + [suite.integer(0, 4)] + shape[axis + 1:], dtype) for _ in range(suite.integer(1, 4))]
        suite.case("Concat", parts, opset=13, axis=suite.pick(axis, axis - len(shape)))
    for opset in (2, 11, 13, 18):
        for _ in range(4):
            shape = suite.shape(1, 4)
            axis, sizes = suite.integer(0, len(shape) - 1), [suite.integer(0, 3) for _ in range(suite.integer(1, 4))]
            shape[axis] = sum(sizes)
            x = data(suite, shape, suite.pick(np.float32, np.int64))
            if opset < 13:
                suite.case("Split", [x], opset=opset, outputs=len(sizes), axis=axis, split=sizes)
            else:
                suite.case("Split", [x, ints(*sizes)], opset=opset, outputs=len(sizes), axis=axis,
                           constant=constant(suite, 1))
    suite.case("Split", [data(suite, [2, 6], np.float32)], opset=13, outputs=3, axis=1)
    suite.case("Split", [data(suite, [2, 7], np.float32)], opset=18, outputs=3, axis=1, num_outputs=3)
    for shape, target in (([3, 1], [2, 1, 6]), ([3, 1], [3, 4]), ([1], [2, 3]), ([], [2]), ([2, 3], [1, 1]), ([1, 4], [0, 4])):
        suite.case("Expand", [data(suite, shape), ints(*target)], opset=13, constant=constant(suite, 1))
    for shape, repeats in (([2, 3], [2, 1]), ([2, 3], [1, 3]), ([2, 3], [2, 2]), ([3], [0]), ([2, 1, 2], [1, 3, 2])):
        suite.case("Tile", [data(suite, shape, suite.pick(np.float32, np.int64)), ints(*repeats)], opset=13,
                   constant=constant(suite, 1))


def slicing(suite):
    for _ in range(30):
        shape = suite.shape(1, 4, high=7)
        axes = [axis for axis in range(len(shape)) if suite.integer(0, 2)] or [0]
        starts, ends, steps = ([suite.integer(-9, 9) for _ in axes] for _ in range(3))
        steps = [step or 1 for step in steps]
        ends = [suite.pick(end, 2**63 - 1 if step > 0 else -2**63) for end, step in zip(ends, steps)]
        inputs = [data(suite, shape), ints(*starts), ints(*ends), ints(*[suite.pick(a, a - len(shape)) for a in axes]),
                  ints(*steps)]
        suite.case("Slice", inputs, opset=13, constant=suite.pick((), (1, 2, 3, 4)))
    for _ in range(6):
        shape = suite.shape(2, 3, high=7)
        suite.case("Slice", [data(suite, shape, np.float32)], opset=9, axes=[0, 1], starts=[suite.integer(-5, 5), 1],
                   ends=[suite.integer(-5, 5), 1000])
    for mode in ("constant", "reflect", "edge", "wrap"):
        for _ in range(5):
            shape = suite.shape(1, 4, low=3, high=5)
            pads = [suite.integer(-1, 2) if mode == "constant" else suite.integer(0, 2) for _ in range(2 * len(shape))]
            x = data(suite, shape, suite.pick(np.float32, np.float32, np.int32, np.float64))
            fill = np.array(7, x.dtype) if mode == "constant" and suite.integer(0, 1) else None
            suite.case("Pad", [x, ints(*pads), fill], opset=19 if mode == "wrap" else suite.pick(13, 18),
                       constant=constant(suite, 1), mode=mode)
    suite.case("Pad", [data(suite, [2, 3, 4], np.float32), ints(1, 2), None, ints(-1)], opset=18)
    suite.case("Pad", [data(suite, [3, 4], np.float32)], opset=2, pads=[0, 1, 2, 0], value=1.5)


def indexing(suite):
    for _ in range(12):
        x = data(suite, suite.shape(1, 4))
        axis = suite.integer(0, x.ndim - 1)
        size = x.shape[axis]
        indices = suite.integers(*suite.shape(0, 2), low=-size, high=size - 1, dtype=suite.pick(np.int32, np.int64))
        suite.case("Gather", [x, indices], opset=13, axis=suite.pick(axis, axis - x.ndim), constant=constant(suite, 1))
    for op in ("GatherElements", "ScatterElements"):
        for _ in range(8):
            x = data(suite, suite.shape(1, 3, low=2), np.float32)
            axis = suite.integer(0, x.ndim - 1)
            shape = [suite.integer(1, size) for size in x.shape]
            indices = np.stack([suite.rng.permutation(x.shape[axis])[:shape[axis]] for _ in
                                range(int(np.prod(shape)) // shape[axis])])
            indices = np.moveaxis(indices.reshape([s for i, s in enumerate(shape) if i != axis] + [shape[axis]]), -1, axis)
            indices = np.ascontiguousarray(indices - x.shape[axis] * suite.integer(0, 1)).astype(np.int64)
            if op == "GatherElements":
                suite.case(op, [x, indices], opset=13, axis=axis)
                continue
            updates = suite.floats(*shape)
            suite.case(op, [x, indices, updates], opset=13, axis=axis)
            suite.case(op, [x, indices, updates], opset=18, axis=axis, reduction=suite.pick("add", "mul", "max", "min"))
    for x_shape, indices, batch in (([2, 3, 4], [[0, 1], [1, -1]], 0), ([2, 3, 4], [[0], [1]], 1),
                                    ([2, 3, 4], [[[1]], [[0]]], 1), ([5], [[4], [0], [-5]], 0)):
        suite.case("GatherND", [data(suite, x_shape), np.array(indices, np.int64)], opset=13, batch_dims=batch or None)
    for reduction in (None, "add", "mul", "max", "min"):
        suite.case("ScatterND", [suite.floats(4, 3), ints(1, -1).reshape(2, 1), suite.floats(2, 3)],
                   opset=18 if reduction else 13, reduction=reduction)
        suite.case("ScatterND", [suite.floats(4, 3), np.array([[1, 2], [0, 0], [1, 2]], np.int64), suite.floats(3)],
                   opset=18, reduction=reduction or "add")


def positions(suite):
    for axis in (-1, 0, 1, 2):
        suite.case("OneHot", [suite.integers(2, 3, low=-4, high=3), ints(4), np.array([0.5, 2], np.float32)], opset=11,
                   axis=axis, constant=constant(suite, 1))
    suite.case("NonZero", [suite.integers(3, 4, low=0, high=1).astype(np.float32)], opset=13)
    suite.case("NonZero", [suite.integers(3, 4, 2, low=0, high=1).astype(bool)], opset=13)
    for axis in (None, 0, 1, -1):
        suite.case("Compress", [data(suite, [3, 4], np.float32), np.array([True, False, True])], opset=11, axis=axis)
    for upper in (0, 1):
        for k in (-2, 0, 1, 9):
            suite.case("Trilu", [data(suite, [2, 3, 4], np.float32), np.array(k, np.int64)], opset=14, upper=upper)
    for op in ("DepthToSpace", "SpaceToDepth"):
        x = data(suite, [2, 12, 2, 3] if op == "DepthToSpace" else [2, 3, 4, 6], np.float32)
        suite.case(op, [x], opset=13, blocksize=2)
    suite.case("DepthToSpace", [data(suite, [2, 12, 2, 3], np.float32)], opset=13, blocksize=2, mode="CRD")
    for batch in (0, 1):
        suite.case("ReverseSequence", [data(suite, [3, 4, 2] if batch == 0 else [4, 3, 2], np.float32), ints(1, 4, 2)],
                   opset=10, batch_axis=batch, time_axis=1 - batch)


def constants(suite):
    for shape in ([2, 3], [], [0], [4]):
        suite.case("ConstantOfShape", [ints(*shape)], opset=9, constant=constant(suite, 0))
    for start, end in ((None, None), (1, None), (-2, None), (0, -1), (1, 2), (3, 1)):
        suite.case("Shape", [suite.floats(2, 3, 4)], opset=15, start=start, end=end)
    suite.case("Size", [suite.floats(2, 3, 4)], opset=13)
    for start, limit, step, dtype in ((0, 7, 1, np.int64), (5, -4, -2, np.int32), (0, 3, 0.5, np.float32), (3, 3, 1, np.int64)):
        suite.case("Range", [np.array(v, dtype) for v in (start, limit, step)], opset=11, constant=suite.pick((), (0, 1, 2)))
    for k in (-1, 0, 2):
        suite.case("EyeLike", [suite.floats(3, 4)], opset=9, k=k)


def generate(suite):
    views(suite)
    arranging(suite)
    slicing(suite)
    indexing(suite)
    positions(suite)
    constants(suite)
