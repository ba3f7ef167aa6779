"""What the server says by itself, on the session's GET stream: heard in one round."""

from py.wait import within

UPDATED = "notifications/resources/updated"
LIST_CHANGED = "notifications/resources/list_changed"
MESSAGE = "notifications/message"


class Notices:
    def __init__(self):
        self._heard = []
        self._due = {}

    def hear(self, method, params):
        self._heard.append((method, params))

    def expect(self, method):
        """Something was done that the server must tell of once."""
        self._due[method] = self._due.get(method, 0) + 1

    async def heard(self, method, seconds, match=lambda _params: True):
        """Whether a notification is heard within `seconds` whose parameters `match`."""

        async def is_heard():
            return any(match(params) for params in self._of(method))

        return await within(seconds, is_heard)

    def times(self, method):
        """How often a notification was heard so far."""
        return len(self._of(method))

    def duplicates(self):
        """How often a notification came too often, for each of them."""
        return {method: self.times(method) - due for method, due in self._due.items()}

    def _of(self, method):
        return [params for heard, params in self._heard if heard == method]
