"""Who calls: which workspace, or the organisation, a call's key speaks for."""

from collections.abc import Mapping

from batches.sandbox.refusals import RefusalError


class Access:
    """Knows the workspaces' keys and the organisation's Admin key.

    Both header dialects are taken. `lenient` lets any key but the Admin key be the first
    workspace's.
    """

    def __init__(self, keys: Mapping[str, str], admin_key: str, *, lenient: bool) -> None:
        self._keys = keys
        self._admin_key = admin_key
        self._lenient = lenient

    def workspace(self, headers: Mapping[str, str]) -> str:
        """Return the workspace of a call's key; raises RefusalError (401, 403) without one."""
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
        """Raise RefusalError (401, 403) unless the call brings the Admin key."""
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
