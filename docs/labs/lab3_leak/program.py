"""A server of requests that works, and loses memory.  Leave it as it is: the fix goes to start.py."""

from pfm import PFM

# Routes that are remembered.
_ROUTES = 8
_REPLY_ORDER = 1


class BadRequest(Exception):
    """The body does not begin with the sum of its other bytes, modulo 256."""


class Server:
    """Answers requests in frames of `manager`."""

    def __init__(self, manager=PFM):
        self.manager = manager
        self.routes = {}
        self.recent = []
        # The last reply, kept for `repeat`.
        self.last = 0

    def page(self, pfn):
        """Return the frame's memory."""
        return self.manager.memory(pfn)

    def handle(self, name, body):
        """Return the answer to a request as bytes.  Raises BadRequest."""
        packet = self.receive(body)
        try:
            self.route(name)
            return self.respond(name, self.page(packet)[1 : len(body)])
        finally:
            self.manager.free(packet)

    def receive(self, body):
        """Return a frame with the body.  Raises BadRequest."""
        packet = self.manager.alloc(tag="pkt")
        page = self.page(packet)
        page[: len(body)] = body
        if page[0] != sum(page[1 : len(body)]) & 0xFF:
            raise BadRequest(page[0])
        return packet

    def route(self, name):
        """Return the frame of the route to `name`, of which the recent ones are remembered."""
        if name not in self.routes:
            if len(self.recent) == _ROUTES:
                self.manager.free(self.routes.pop(self.recent.pop(0)))
            self.routes[name] = self.manager.alloc(tag="rout")
            self.recent.append(name)
        return self.routes[name]

    def respond(self, name, text):
        """Return the answer as bytes, and keep its frames."""
        answer = name.encode() + b": " + text
        reply = self.manager.alloc(_REPLY_ORDER, tag="rply")
        self.page(reply)[: len(answer)] = answer
        self.keep(reply)
        self.manager.unref(reply)
        return answer

    def keep(self, reply):
        """Keep the reply for `repeat`, by a reference of its own."""
        self.manager.ref(reply)
        self.last = reply

    def repeat(self, size):
        """Return the first bytes of the last reply."""
        return bytes(self.page(self.last)[:size])

    def close(self):
        """Give all frames back."""
        for name in self.recent:
            self.manager.free(self.routes.pop(name))
        self.recent.clear()
        if self.last:
            self.manager.unref(self.last)
            self.last = 0


def request(number):
    """Return the name and the body of a request; every fifth is bad."""
    text = "request {}".format(number).encode()
    check = sum(text) + (number % 5 == 0) & 0xFF
    return "client{}".format(number * 7 % 11), bytes([check]) + text
