# Run: python examples/word_count.py [1500]. Kill: pkill -9 -f word_count. Run it again.
"""The words of the standard library's own source files, counted."""

import collections
import re
import sys
import sysconfig
from pathlib import Path

from resume import Checkpoint


def count_words(files):
    library = Path(sysconfig.get_path("stdlib"))
    counts = collections.Counter()
    longest = ("", 0)
    with Checkpoint("words") as chp:
        sources = sorted(library.rglob("*.py"), key=lambda path: path.as_posix())
        sources = [path for path in sources if "site-packages" not in path.parts][:files]
        for path in chp.loop(sources):
            words = re.findall(r"[A-Za-z]{3,}", path.read_text("utf-8", "replace"))
            counts.update(word.lower() for word in words)
            longest = max(longest, (path.name, len(words)), key=lambda pair: pair[1])
    return counts, longest


counts, longest = count_words(int(sys.argv[1]) if sys.argv[1:] else 1500)
print(f"{counts.total()} words, {len(counts)} different; most words: {longest[0]} ({longest[1]})")
for word, count in counts.most_common(8):
    print(f"{count:8} {word}")
