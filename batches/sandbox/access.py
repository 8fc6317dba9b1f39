"""Checks API keys: which workspace a key belongs to, or whether it is the Admin key."""

from collections.abc import Mapping

from batches.sandbox.refusals import RefusalError


class Access:
    """The workspaces' keys and the organization's Admin key.

    Accepts `x-api-key` and bearer tokens. With `lenient`, any key except the Admin key counts as
    the first workspace's.
    """

    def __init__(self, keys: Mapping[str, str], admin_key: str, *, lenient: bool) -> None:
        self._keys = keys
        self._admin_key = admin_key
        self._lenient = lenient

    def workspace(self, headers: Mapping[str, str]) -> str:
        """The workspace that the call's key belongs to. Raises RefusalError (401, 403)."""
        key = _key(headers)
        if key == self._admin_key:
            raise RefusalError(401, "An Admin API key can't be used here, only a workspace's key.")
        workspace = self._keys.get(key)
        if workspace is None and key and self._lenient:
            return next(iter(self._keys.values()))
        if workspace is None:
            raise _unknown(key)
        named = headers.get("anthropic-workspace-id", workspace)
        if named != workspace and not self._lenient:
            raise RefusalError(403, "Your API key does not have access to this workspace.")
        return workspace

    def require_admin(self, headers: Mapping[str, str]) -> None:
        """Raises RefusalError (401, 403) unless the call carries the Admin key."""
        key = _key(headers)
        if key in self._keys:
            raise RefusalError(403, "This endpoint requires an Admin API key.")
        if key != self._admin_key:
            raise _unknown(key)


def _key(headers: Mapping[str, str]) -> str:
    key = headers.get("x-api-key", "")
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if not key and scheme.lower() == "bearer":
        key = token.strip()
    return key


def _unknown(key: str) -> RefusalError:
    return RefusalError(401, "API key is invalid." if key else "An API key is required.")
