"""The architectures that bench/gpu.py times, as PyTorch modules with seeded weights; batch normalisation is folded already."""

import torch
from torch import nn
from torch.nn import functional as F


class Pixels(nn.Module):
    """uint8 images [n, 3, 32, 32], scaled."""

    def __init__(self, body):
        super().__init__()
        self.body = body

    def forward(self, x):
        return self.body((x.float() / 255.0 - 0.5) * 4.0)


def conv(inputs, outputs):
    return [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]


def vgg16():
    layers, inputs = [], 3
    for outputs in (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0):
        layers += conv(inputs, outputs) if outputs else [nn.MaxPool2d(2)]
        inputs = outputs or inputs
    return Pixels(nn.Sequential(*layers, nn.Flatten(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10)))


def alexnet():
    pool = [nn.MaxPool2d(2)]
    layers = conv(3, 64) + conv(64, 64) + pool + conv(64, 192) + pool + conv(192, 256) + conv(256, 256) + pool
    dense = [nn.Linear(4096, 1024), nn.ReLU(), nn.Linear(1024, 1024), nn.ReLU(), nn.Linear(1024, 10)]
    return Pixels(nn.Sequential(*layers, nn.Flatten(), *dense))


class Residual(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1)
        self.short = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1, stride)

    def forward(self, x):
        return F.relu(self.short(x) + self.second(F.relu(self.first(x))))


class Mean(nn.Module):
    def forward(self, x):
        return x.mean((2, 3))


def resnet20():
    layers, inputs = conv(3, 16), 16
    for outputs in (16, 32, 64):
        for block in range(3):
            layers.append(Residual(inputs, outputs, 2 if outputs != 16 and block == 0 else 1))
            inputs = outputs
    return Pixels(nn.Sequential(*layers, Mean(), nn.Linear(64, 10)))


class Block(nn.Module):
    """A transformer's layer, normalised before."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.one, self.two = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x, mask=None):
        n, rows, width = x.shape
        q, k, v = self.qkv(self.one(x)).reshape(n, rows, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        x = x + self.out(y.transpose(1, 2).reshape(n, rows, width))
        return x + self.down(F.gelu(self.up(self.two(x))))


class Vit(nn.Module):
    def __init__(self):
        super().__init__()
        self.patch = nn.Conv2d(3, 192, 4, 4)
        self.place = nn.Parameter(torch.randn(1, 64, 192) * 0.02)
        self.blocks = nn.ModuleList(Block(192, 6) for _ in range(8))
        self.norm, self.head = nn.LayerNorm(192), nn.Linear(192, 10)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2) + self.place
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x).mean(1))


class Words(nn.Module):
    """int64 words [n, 256], 0 where there is none."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(12000, 256)
        self.place = nn.Parameter(torch.randn(1, 256, 256) * 0.02)
        self.blocks = nn.ModuleList(Block(256, 4) for _ in range(4))
        self.norm, self.head = nn.LayerNorm(256), nn.Linear(256, 2)

    def forward(self, words):
        there = (words != 0).float()
        x = (self.words(words) + self.place) * there[:, :, None]
        for block in self.blocks:
            x = block(x)
        y = (self.norm(x) * there[:, :, None]).sum(1) / there.sum(1, keepdim=True).clamp(min=1.0)
        return self.head(y)


def vit():
    return Pixels(Vit())


NETWORKS = {"vgg16": vgg16, "alexnet": alexnet, "resnet20": resnet20, "vit": vit, "imdb": Words}


def example(name, batch):
    """A batch of inputs, as bench/gpu/network.c's kind."""
    if name == "imdb":
        return torch.randint(0, 1000, (batch, 256))
    return torch.randint(0, 256, (batch, 3, 32, 32), dtype=torch.uint8)


def make(name):
    """Weights scaled so that activations keep their size (He et al. 2015)."""
    torch.manual_seed(1)
    network = NETWORKS[name]().eval()
    for layer in network.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu" if isinstance(layer, nn.Conv2d) else "linear")
    return network
