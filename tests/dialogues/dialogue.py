"""What a dialogue is, and what it is given."""

from collections import namedtuple

from peer import Connection

Dialogue = namedtuple("Dialogue", "name checks xfail function")

ALL = []


def dialogue(checks, xfail=None):
    """Makes a dialogue of a function whose name is a sentence. `checks` is the section of the RFC
    that it checks; `xfail` says what is wrong if the server is known not to keep it."""

    def register(function):
        ALL.append(Dialogue(function.__name__.replace("_", " "), checks, xfail, function))
        return function

    return register


class Lab:
    """A link to the server, and the files that it has by their paths."""

    def __init__(self, link, files):
        self.link, self.files = link, files

    def connection(self, **how):
        """A connection that is not open yet."""
        return Connection(self.link, **how)

    def open(self, **how):
        """An open connection."""
        connection = self.connection(**how)
        connection.open()
        return connection

    def check(self, connection, path, **how):
        """Fetches a file, which must be right."""
        assert connection.get(path, **how) == self.files[path], f"{path} is damaged"

    def check_answer(self, connection, path, sent=b"", **how):
        """Receives a file that has been asked for, which must be right."""
        assert connection.answer(sent, **how) == self.files[path], f"{path} is damaged"
