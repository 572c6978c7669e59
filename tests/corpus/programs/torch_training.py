"""A torch network trained in plain loops, with dropout, a scheduler, and no_grad around the tests."""

# needs: torch

import torch
from torch import nn

SCALE = 20
torch.manual_seed(0)
torch.set_num_threads(1)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(4, 8), nn.Linear(8, 1)])
        self.drop = nn.Dropout(0.2)
        self.calls = 0

    def forward(self, x):
        for i, layer in enumerate(self.layers):
            x = layer(x)
            if i == 0:
                x = self.drop(torch.relu(x))
        self.calls += 1
        return x.squeeze(-1)


def batches(x, y, size):
    order = torch.randperm(len(x))
    for start in range(0, len(x), size):
        rows = order[start : start + size]
        yield x[rows], y[rows]


def test(net, x, y):
    net.eval()
    wrong = 0.0
    with torch.no_grad():
        for k in range(0, len(x), 10):
            wrong += float(((net(x[k : k + 10]) - y[k : k + 10]) ** 2).sum())
            assert not torch.is_grad_enabled()
    net.train()
    return wrong / len(x)


x = torch.randn(40, 4)
y = x @ torch.tensor([1.0, -1.0, 0.5, 2.0])
net = Net()
optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=5, gamma=0.5)
for epoch in range(2 * SCALE):
    total = 0.0
    for some_x, some_y in batches(x, y, 10):
        optimizer.zero_grad()
        loss = ((net(some_x) - some_y) ** 2).mean()
        loss.backward()
        optimizer.step()
        total += loss.item()
    scheduler.step()
    print(epoch, f"{total:.5f}", f"{test(net, x, y):.5f}", scheduler.get_last_lr(), net.calls)
