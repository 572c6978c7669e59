"""Exit stacks, nested and reusable managers, redirected output, closing, and re-raised errors."""

# writes: part.txt

import contextlib
import io

SCALE = 8307
trail = []


class Resource:
    live = 0

    def __init__(self, name):
        self.name = name

    def __enter__(self):
        Resource.live += 1
        for _ in range(2):
            trail.append(("open", self.name))
        return self

    def __exit__(self, kind, error, trace):
        Resource.live -= 1
        trail.append(("close", self.name, kind.__name__ if kind else None))
        return self.name == "swallow" and kind is not None

    def close(self):
        trail.append(("closed", self.name))

    def use(self, n):
        for i in range(n):
            if i == 3:
                raise ValueError(self.name)
        return n


def several(n):
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(Resource(f"r{i}")) for i in range(n)]
        stack.callback(trail.append, "callback")
        for resource in held:
            resource.use(n)
        if n % 2:
            stack.pop_all().close()
    return len(held)


def swallowed(n):
    with Resource("swallow") as resource, Resource("inner") as inner:
        inner.use(n)
        resource.use(n + 1)
        return "whole"
    return "swallowed"


def captured(n):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        for i in range(n):
            print("captured", i)
            several(i % 3)
    return out.getvalue().splitlines()


def closed(n):
    with contextlib.closing(Resource("c")) as resource, open("part.txt", "a") as part:
        for i in range(n):
            part.write(f"{resource.name}{i} ")
        part.write("\n")
        with contextlib.suppress(ValueError):
            resource.use(n)
            return "used"
        return "suppressed"


for n in range(SCALE):
    k = n % 6
    try:
        print(k, several(k))
    except ValueError as error:
        print("error", error)
    print(swallowed(k), captured(k), closed(k), Resource.live)
    print(trail)
    trail.clear()
