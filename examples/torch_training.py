# Run: python examples/torch_training.py [60]. Kill: pkill -9 -f torch_training. Run it again.
"""A PyTorch training loop: AdamW, a learning rate schedule, dropout, a new order in each epoch."""

import hashlib
import sys

import torch
from sklearn.datasets import load_digits
from torch import nn

from resume import Checkpoint


def train(epochs):
    images, labels = (torch.tensor(part) for part in load_digits(return_X_y=True))
    images = images.float() / 16
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 10))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs)
    with Checkpoint("digits_torch", exclude=["images", "labels"]) as chp:
        for _ in chp.loop(range(epochs)):
            total = 0.0
            for rows in chp.loop(lambda: torch.randperm(len(images)).split(128)):
                loss = nn.functional.cross_entropy(model(images[rows]), labels[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                total += loss.item() * len(rows)
            schedule.step()
    return model, total / len(images)


model, loss = train(int(sys.argv[1]) if sys.argv[1:] else 60)
weights = b"".join(tensor.numpy().tobytes() for tensor in model.state_dict().values())
print(f"loss {loss!r}, sha256 of the weights {hashlib.sha256(weights).hexdigest()}")
