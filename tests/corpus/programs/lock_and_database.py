"""A lock and a connection in local variables: neither can be saved, both are made again."""

import os
import sqlite3
import threading

SCALE = 71


def main():
    lock = threading.Lock()
    db = sqlite3.connect("x.db", check_same_thread=False)
    db.execute("create table if not exists t(a int primary key)")
    total = 0
    for i in range(15 * SCALE):
        with lock:
            total += i
        for j in range(2):
            db.execute("insert or replace into t values (?)", (i * 2 + j,))
        db.commit()
        print(i, total)
    print(total, db.execute("select count(*), sum(a) from t").fetchone())
    db.close()


main()
os.unlink("x.db")
