"""Who comes in, and what they and admins change about that."""

from collections.abc import Sequence

from app.access.wire import (
    ChangeMe,
    ChangeUser,
    KeyMade,
    Keys,
    Login,
    Me,
    NewKey,
    NewUser,
    Sessions,
    Users,
    UserShown,
)
from app.operations.parts import NOTHING, Content, Operation, Parameter, Schema

SESSION_ID: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
KEY_ID: Schema = {"type": "string", "pattern": "^[0-9a-zA-Z_]{1,64}$"}
USER_NAME: Schema = {"type": "string", "pattern": "^[^/]{1,200}$"}
KEY = Parameter("id", KEY_ID, "The key's public part.")
SESSION = Parameter("id", SESSION_ID, "The session's id.")
NAME = Parameter("name", USER_NAME, "The user's name.")
BODY = (408, 413, 422, 503)

ACCESS: Sequence[Operation] = (
    Operation(
        "post",
        "/login",
        "Log in",
        "Access",
        {200: Content("Who it is; the answer sets the cookie.", Me)},
        Content("Name and password.", Login),
        fails=(429, *BODY),
    ),
    Operation("post", "/logout", "Log out", "Access", {204: NOTHING}, fails=(503,)),
    Operation("get", "/me", "Who asks", "Access", {200: Content("", Me)}, fails=(503,)),
    Operation(
        "patch",
        "/me",
        "Change one's name or password",
        "Access",
        {200: Content("", Me)},
        Content("The change, and the password as it is.", ChangeMe),
        fails=(404, 429, *BODY),
    ),
    Operation("get", "/me/keys", "One's keys", "Access", {200: Content("", Keys)}, fails=(503,)),
    Operation(
        "post",
        "/me/keys",
        "Make a key",
        "Access",
        {201: Content("The key, told this once.", KeyMade)},
        Content("What it may.", NewKey),
        fails=(409, *BODY),
    ),
    Operation("delete", "/me/keys/{id}", "Remove a key", "Access", {204: NOTHING}, parameters=(KEY,), fails=(404, 503)),
    Operation("get", "/me/sessions", "Where one is logged in", "Access", {200: Content("", Sessions)}, fails=(503,)),
    Operation(
        "delete",
        "/me/sessions/{id}",
        "End one of them",
        "Access",
        {204: NOTHING},
        parameters=(SESSION,),
        fails=(404, 503),
    ),
    Operation("get", "/users", "All users", "Access", {200: Content("", Users)}, fails=(503,)),
    Operation(
        "post",
        "/users",
        "Add a user",
        "Access",
        {201: Content("", UserShown)},
        Content("The user; the first one is an admin.", NewUser),
        fails=(409, *BODY),
    ),
    Operation(
        "patch",
        "/users/{name}",
        "Change a user",
        "Access",
        {200: Content("", UserShown)},
        Content("The change.", ChangeUser),
        parameters=(NAME,),
        fails=(404, 409, *BODY),
    ),
    Operation(
        "delete",
        "/users/{name}",
        "Remove a user",
        "Access",
        {204: NOTHING},
        parameters=(NAME,),
        fails=(404, 409, 503),
    ),
)
