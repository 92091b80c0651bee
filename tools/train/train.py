#!/usr/bin/env python3
"""Trains a shipped network on glyphs and writes its weights: train.py NAME --data FOLDER -o WEIGHTS.npz

FOLDER holds train_x.npy, train_y.npy, test_x.npy, test_y.npy, made by the glyphs tool (README.md has the commands).
Needs PyTorch and NumPy. export.py turns the weights into ONNX.
"""

import argparse
import pathlib

import numpy as np
import torch
from torch import nn

from networks import NETWORKS

BATCH = 256


def load(folder, split, device):
    images = torch.from_numpy(np.load(folder / f"{split}_x.npy")).to(device)
    return images, torch.from_numpy(np.load(folder / f"{split}_y.npy")).to(device)


def accuracy(network, images, labels):
    network.eval()
    right = 0
    with torch.no_grad():
        for begin in range(0, len(images), 1000):
            scores = network(images[begin : begin + 1000].float() / 255)
            right += (scores.argmax(1) == labels[begin : begin + 1000]).sum().item()
    return 100 * right / len(images)


def train(network, images, labels, epochs):
    steps = epochs * (len(images) // BATCH)
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
    loss_function = nn.CrossEntropyLoss(label_smoothing=0.02)
    for epoch in range(epochs):
        network.train()
        total = 0.0
        order = torch.randperm(len(images), device=images.device)
        for begin in range(0, len(images) - BATCH + 1, BATCH):
            rows = order[begin : begin + BATCH]
            loss = loss_function(network(images[rows].float() / 255), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        print(f"epoch {epoch + 1}/{epochs}: loss {total / (len(images) // BATCH):.4f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=NETWORKS)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("-o", dest="output", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    torch.manual_seed(1)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network = NETWORKS[arguments.name]().to(device)
    train(network, *load(arguments.data, "train", device), arguments.epochs)
    print(f"test accuracy {accuracy(network, *load(arguments.data, 'test', device)):.2f} %")
    np.savez(arguments.output, **{name: value.cpu().numpy() for name, value in network.state_dict().items()})


if __name__ == "__main__":
    main()
