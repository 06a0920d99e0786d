"""A web server with TLS for the policy of MTA-STS, on port 443 of a loopback address.  Standard library only; needs root."""
import http.server
import ssl
import threading


class Web:
    """Serves `policy` at the path of RFC 8461; None: a redirect."""

    def __init__(self, certificate, address):
        self.policy = ""
        self.paths = []
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                web.paths.append((self.headers["Host"], self.path))
                if web.policy is None:
                    self.send_response(301)
                    self.send_header("Location", "https://mta-sts.far.example/elsewhere")
                    self.end_headers()
                    return
                body = web.policy.encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer((address, 443), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def says(self, mode, mx):
        self.policy = f"version: STSv1\r\nmode: {mode}\r\nmx: {mx}\r\nmax_age: 86400\r\n"

    def close(self):
        self.server.shutdown()
        self.server.server_close()
