"""A torch GRU over sequences with the state carried on, gradients clipped, weights averaged."""

# needs: torch

import copy

import torch
from torch import nn

SCALE = 12
torch.manual_seed(1)
torch.set_num_threads(1)


def sequences(n, length):
    for k in range(n):
        steps = torch.arange(length, dtype=torch.float32) + k
        yield torch.sin(steps / 3).reshape(length, 1, 1)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell, self.out = nn.GRU(1, 6), nn.Linear(6, 1)

    def forward(self, x, state=None):
        y, state = self.cell(x, state)
        return self.out(y), state.detach()


model = Model()
average = copy.deepcopy(model)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
state = None
for epoch in range(SCALE):
    for k, x in enumerate(sequences(3, 12)):
        y, state = model(x[:-1], state)
        loss = nn.functional.mse_loss(y, x[1:])
        optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        with torch.no_grad():
            for old, new in zip(average.parameters(), model.parameters()):
                old.mul_(0.9).add_(new, alpha=0.1)
        print(epoch, k, f"{loss.item():.5f}", f"{float(norm):.5f}")
    with torch.inference_mode():
        guess, _ = average(next(sequences(1, 5)))
        print(f"{guess.sum().item():.5f}", f"{torch.rand(1).item():.5f}")
