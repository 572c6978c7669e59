"""What a database has not committed is never lost: a save waits for the end of a transaction."""

from __future__ import annotations

import pytest
from reruns import resumed

pytestmark = pytest.mark.untraced

SCRIPT = """
import os, resume, sqlite3
def main():
    db = sqlite3.connect("x.db")
    closed = sqlite3.connect("x.db")
    closed.close()
    db.execute("create table if not exists t(a int)")
    for k in range(4):
        resume.save()
        db.execute("insert into t values (?)", (k,))
        resume.save()
        if k == 2 and os.path.exists("die"):
            os.unlink("die")
            os._exit(9)
        db.commit()
    print(db.execute("select count(*), sum(a) from t").fetchone(), closed is None)
main()
"""


def test_a_save_waits_for_the_end_of_a_transaction(tmp_path):
    """The connection is made again, and so are the rows that were not committed."""
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "die").touch()
    assert resumed(tmp_path, "script.py").returncode == 9

    last = resumed(tmp_path, "script.py")

    assert last.returncode == 0, last.stderr
    assert "resuming script at line 9 of main" in last.stderr
    assert (tmp_path / "log").read_text() == "(4, 6) False\n"
