"""`@resumable`: one function, rewritten, that goes on where its last call was cut short.

It is `resume run` for a single function. What is different: the rest of the program runs again, and
has made by then what the function is given. So its arguments are restored in place, its closure is
the one that the rerun has made, and what the module holds stays the program's own.
"""
