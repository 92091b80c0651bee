"""Attention, RotaryEmbedding, Einsum, GridSample."""
import numpy as np


def attention(suite):
    batch, kv_heads, group = suite.integer(1, 2), suite.integer(1, 3), suite.pick(1, 1, 2)
    q_heads, q_length, length = kv_heads * group, suite.integer(1, 5), suite.integer(1, 7)
    size, v_size = 2 * suite.integer(1, 4), suite.integer(1, 6)
    q, k = suite.floats(batch, q_heads, q_length, size), suite.floats(batch, kv_heads, length, size)
    v = suite.floats(batch, kv_heads, length, v_size)
    attributes = {"is_causal": suite.pick(None, 1), "scale": suite.pick(None, 0.3)}
    inputs = [q, k, v]
    past = suite.integer(1, 4) if suite.pick(True, False, False) else 0
    mask = None
    if not attributes["is_causal"] and suite.pick(True, False):
        shape = suite.pick((q_length, length + past), (1, 1, q_length, length + past))
        mask = suite.floats(*shape) if suite.pick(True, False) else suite.integers(*shape, low=0, high=1).astype(bool)
        if mask.dtype == bool:
            mask[..., 0] = True
    outputs = 1
    if past:
        inputs += [mask, suite.floats(batch, kv_heads, past, size), suite.floats(batch, kv_heads, past, v_size)]
        outputs = 3
    elif mask is not None:
        inputs.append(mask)
    if suite.pick(True, False) and not past:
        inputs[:3] = [a.transpose(0, 2, 1, 3).reshape(batch, a.shape[2], -1) for a in inputs[:3]]
        attributes.update(q_num_heads=q_heads, kv_num_heads=kv_heads)
    suite.case("Attention", inputs, opset=23, outputs=outputs, **attributes)


def rotary(suite):
    batch, heads, length, half = suite.integer(1, 2), suite.integer(1, 3), suite.integer(1, 5), suite.integer(1, 4)
    flat, interleaved = suite.pick(True, False), suite.pick(0, 1)
    x = suite.floats(*((batch, length, heads * 2 * half) if flat else (batch, heads, length, 2 * half)))
    if suite.pick(True, False):
        extra = [suite.floats(9, half), suite.floats(9, half), suite.integers(batch, length, low=0, high=8)]
    else:
        extra = [suite.floats(batch, length, half), suite.floats(batch, length, half)]
    suite.case("RotaryEmbedding", [x] + extra, opset=23, interleaved=interleaved, num_heads=heads if flat else None)


EQUATIONS = ("ij,jk->ik", "bij,bjk->bik", "bhqd,bhkd->bhqk", "bhqk,bhkd->bhqd", "i,i->", "ii->i", "ij->ji", "ij->", "i,j->ij",
             "...ij,...jk->...ik", "ij,jk", "bij,kj->bik", "ij,ij,ij->i", "abc,cd,de->abe", "iij->j")


def einsum(suite, equation):
    sizes = {letter: suite.integer(1, 5) for letter in "abcdehijkq"}
    hidden = suite.shape(1, 2, 3)
    inputs = []
    for term in equation.split("->")[0].split(","):
        shape = hidden if term.startswith("...") else []
        inputs.append(suite.floats(*shape, *(sizes[letter] for letter in term.replace("...", ""))))
    suite.case("Einsum", inputs, opset=12, equation=equation)


def grid_sample(suite, spatial):
    x = suite.floats(suite.integer(1, 2), suite.integer(1, 3), *(suite.integer(2, 6) for _ in range(spatial)))
    out = [suite.integer(1, 5) for _ in range(spatial)]
    grid = suite.floats(x.shape[0], *out, spatial, low=-1.3, high=1.3)
    opset = 16 if spatial == 2 and suite.pick(True, False) else 20
    modes = ("bilinear", "nearest", "bicubic") if opset == 16 else ("linear", "nearest")
    suite.case("GridSample", [x, grid], opset=opset, mode=suite.pick(*modes),
               padding_mode=suite.pick("zeros", "border", "reflection"), align_corners=suite.pick(0, 1))


def generate(suite):
    for _ in range(30):
        attention(suite)
    for _ in range(12):
        rotary(suite)
    for equation in EQUATIONS:
        einsum(suite, equation)
        einsum(suite, equation)
    for i in range(30):
        grid_sample(suite, 2 if i % 3 else 3)
