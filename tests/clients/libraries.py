"""Python's clients: urllib.request, http.client and requests. Arguments: address, folder of the site.

Everything is compared with the files; the first difference ends it with an AssertionError.
"""

import gzip
import http.client
import pathlib
import sys
import urllib.error
import urllib.request

import requests

host, folder = sys.argv[1], pathlib.Path(sys.argv[2])
base = f"http://{host}"
ruler = (folder / "ruler.txt").read_bytes()
large = (folder / "large.bin").read_bytes()


def get(path, **fields):
    """What urllib gets: the answer, errors too."""
    request = urllib.request.Request(base + path, headers=fields)
    try:
        return urllib.request.urlopen(request, timeout=30)
    except urllib.error.HTTPError as error:
        return error


# urllib closes each connection; it knows no ranges or codings but what it is told to ask for.
assert get("/ruler.txt").read() == ruler
assert get("/large.bin").read() == large
assert get("/nowhere").status == 404
part = get("/large.bin", Range="bytes=1000-1999")
assert (part.status, part.read()) == (206, large[1000:2000])
assert part.headers["Content-Range"] == f"bytes 1000-1999/{len(large)}"
assert get("/ruler.txt", Range="bytes=99999999-").status == 416
coded = get("/ruler.txt", **{"Accept-Encoding": "gzip"})
assert coded.headers["Content-Encoding"] == "gzip"
assert gzip.decompress(coded.read()) == ruler
tag = get("/ruler.txt").headers["ETag"]
assert get("/ruler.txt", **{"If-None-Match": tag}).status == 304
# A redirect is followed.
folder_answer = get("/docs")
assert folder_answer.url == base + "/docs/" and b"Docs" in folder_answer.read()
print("urllib.request: all well")

# http.client keeps its connection.
connection = http.client.HTTPConnection(host, timeout=30)
for turn in range(20):
    connection.request("HEAD" if turn % 5 == 0 else "GET", "/large.bin")
    answer = connection.getresponse()
    body = answer.read()
    assert answer.status == 200 and answer.getheader("Content-Length") == str(len(large))
    assert body == (b"" if turn % 5 == 0 else large)
connection.request("POST", "/ruler.txt", body=b"x" * 1000)
assert connection.getresponse().status == 405
print("http.client: all well")

# requests keeps connections, asks for codings by itself and decodes them.
session = requests.Session()
for turn in range(20):
    answer = session.get(base + "/ruler.txt", timeout=30)
    assert answer.content == ruler and answer.headers["Content-Encoding"], answer.headers
answer = session.get(base + "/docs", timeout=30)
assert [step.status_code for step in answer.history] == [301]
with session.get(base + "/large.bin", stream=True, timeout=30) as answer:
    assert b"".join(answer.iter_content(7777)) == large
assert session.options(base + "/", timeout=30).headers["Allow"] == "GET, HEAD, OPTIONS"
answer = session.put(base + "/ruler.txt", data=b"x" * 100_000, timeout=30)
assert answer.status_code == 405
assert session.get(base + "/ruler.txt", timeout=30).content == ruler
print("requests: all well")
