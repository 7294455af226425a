"""PyTorch, the best loop we know to write by hand: data in memory, fused Adam, no sync a step."""

from __future__ import annotations

import os
from typing import Any

import torch

from bench.workloads import Workload

torch.set_num_threads(int(os.environ.get("BENCH_THREADS", "1")))


def build(workload: Workload) -> Any:
    sizes = (workload.features, *workload.hidden)
    layers: list[Any] = []
    for before, after in zip(sizes, sizes[1:]):
        layers += [torch.nn.Linear(before, after), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers, torch.nn.Linear(sizes[-1], workload.outputs))


def fit(workload: Workload) -> Any:
    model = build(workload)
    x, y = map(torch.from_numpy, workload.data())
    binary = workload.outputs == 1
    y = y.float() if binary else y.long()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7, fused=True)
    loss_of = torch.nn.BCEWithLogitsLoss() if binary else torch.nn.CrossEntropyLoss()

    def run() -> float:
        for _ in range(workload.epochs):
            total, right = torch.zeros(()), torch.zeros(())
            for rows in torch.randperm(len(x)).split(workload.batch):
                xb, yb = x[rows], y[rows]
                logits = model(xb)
                loss = loss_of(logits, yb)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                with torch.no_grad():
                    total += loss.detach() * len(rows)
                    guess = (logits > 0).float() if binary else logits.argmax(1)
                    right += (guess == yb).sum()
            final = (total / len(x)).item()
        return final

    return run


def predictor(workload: Workload) -> Any:
    model = build(workload).eval()

    def run(x: Any) -> Any:
        with torch.inference_mode():
            return torch.sigmoid(model(torch.from_numpy(x))).numpy()

    return run
