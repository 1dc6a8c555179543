"""mlx_lm's own server on a free port, whose number it prints.

    mlx_lm_server.py FOLDER_OF_REFERENCE MODEL.gguf FOLDER
"""

import sys
from http.server import ThreadingHTTPServer
from pathlib import Path

sys.path.insert(0, sys.argv[1])
from mlx_lm.server import main
from reference import convert

serve_forever = ThreadingHTTPServer.serve_forever


def tell_and_serve(server):
    print(server.server_port, flush=True)
    serve_forever(server)


ThreadingHTTPServer.serve_forever = tell_and_serve
convert(Path(sys.argv[2]), Path(sys.argv[3]))
sys.argv[1:] = ["--model", sys.argv[3], "--port", "0"]
main()
