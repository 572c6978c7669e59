"""A pandas table built row by row, grouped and rolled in loops, written and read back as csv."""

# needs: pandas
# writes: groups.csv

import numpy as np
import pandas as pd

SCALE = 123


def rows(n, rng):
    for i in range(n):
        yield {
            "city": ["Oslo", "Rome", "Bern"][i % 3],
            "day": i // 3,
            "value": rng.normal() + i % 5,
        }


def report(frame):
    out = []
    for city, group in frame.groupby("city"):
        rolled = group["value"].rolling(3).mean()
        for day, value in zip(group["day"], rolled):
            if not np.isnan(value) and day % 4 == 0:
                out.append((city, int(day), round(float(value), 6)))
    return out


def adjusted(row):
    total = row["value"]
    for k in range(2):
        total += k * row["day"]
    return total


rng = np.random.default_rng(2)
frames = []
for run in range(SCALE):
    frame = pd.DataFrame(rows(18, rng))
    frame["adjusted"] = frame.apply(adjusted, axis=1)
    frames.append(frame.assign(run=run).head(3))
    for entry in report(frame):
        print(run, *entry)
    for index, row in frame.iterrows():
        if index % 7 == 0:
            frame.loc[index, "value"] = adjusted(row)
    print(round(float(frame["value"].sum()), 6), frame["city"].value_counts().to_dict())
pd.concat(frames).to_csv("groups.csv", index=False, float_format="%.6f")
again = pd.read_csv("groups.csv")
for row in again.itertuples():
    print(row.run, row.city, row.value)
