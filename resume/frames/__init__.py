"""Live frames and their code as plain records: the only place with ctypes and `sys._getframe`."""
