"""The two networks that the repository ships, as PyTorch modules: layers named as in the ONNX files."""

from torch import nn


def block(channels_in, channels_out, pool=False):
    layers = [nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False), nn.BatchNorm2d(channels_out), nn.ReLU()]
    return layers + ([nn.MaxPool2d(2)] if pool else [])


def glyphs():
    """[batch, 1, 64, 64] in [0, 1] to 16 scores. 238 million MACs; three quarters of the weights are in dense layers."""
    return nn.Sequential(
        *block(1, 32),
        *block(32, 64, pool=True),  # 32 x 32
        *block(64, 64),
        *block(64, 96, pool=True),  # 16 x 16
        *block(96, 128),
        *block(128, 128, pool=True),  # 8 x 8
        nn.MaxPool2d(2),  # 4 x 4
        nn.Flatten(),
        nn.Linear(2048, 512), nn.ReLU(), nn.Dropout(0.4),
        nn.Linear(512, 256), nn.ReLU(), nn.Dropout(0.4),
        nn.Linear(256, 16),
    )  # fmt: skip


def tiny():
    """The same task in 0.4 million MACs, for tests: the image is first averaged down to 16 x 16."""
    return nn.Sequential(
        nn.AvgPool2d(4),
        *block(1, 8),
        *block(8, 16, pool=True),  # 8 x 8
        nn.Flatten(),
        nn.Linear(1024, 64), nn.ReLU(),
        nn.Linear(64, 16),
    )  # fmt: skip


NETWORKS = {"glyphs": glyphs, "tiny": tiny}
