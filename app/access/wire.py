"""What requests about access may hold, as models that validate them, and what they are answered."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictStr

from app.access.principal import Role, Scope
from app.access.users import MAX_DISPLAY

MAX_LABEL, MAX_COLLECTIONS = 100, 1000
Text = Annotated[StrictStr, Field(max_length=2000)]
Collections = Annotated[list[StrictStr], Field(max_length=MAX_COLLECTIONS)]


class Ignoring(BaseModel):
    """Unknown fields are ignored."""

    model_config = ConfigDict(extra="ignore")


class Login(Ignoring):
    """The body of `POST /login`."""

    name: Text
    password: Text


class ChangeMe(Ignoring):
    """The body of `PATCH /me`: what is to be changed, and the password as it is now."""

    current_password: Text
    display_name: Annotated[StrictStr, Field(max_length=MAX_DISPLAY)] | None = None
    password: Text | None = None


class NewKey(Ignoring):
    """The body of `POST /me/keys`."""

    scopes: Annotated[list[Scope], Field(min_length=1, max_length=4)] = ["ask"]
    label: Annotated[StrictStr, Field(max_length=MAX_LABEL)] = ""


class NewUser(Ignoring):
    """The body of `POST /users`. Without `role` the first user is an admin, others are readers."""

    name: Text
    password: Text
    role: Role | None = None
    collections: Collections | None = None


class ChangeUser(Ignoring):
    """The body of `PATCH /users/{name}`. A new password ends the user's sessions."""

    role: Role | None = None
    collections: Collections | None = None
    display_name: Annotated[StrictStr, Field(max_length=MAX_DISPLAY)] | None = None
    password: Text | None = None


class Me(BaseModel):
    """Who asks. `collections` is null for everything; `login` tells whether there are users at all."""

    name: str
    display_name: str
    role: Role
    collections: list[str] | None
    scopes: list[Scope]
    via: Literal["nobody", "session", "key"]
    login: bool


class UserShown(BaseModel):
    """A user as admins see them."""

    name: str
    display_name: str
    role: Role
    collections: list[str] | None
    created_at: float


class KeyShown(BaseModel):
    """A key without its text."""

    id: str
    scopes: list[Scope]
    label: str
    created_at: float


class KeyMade(KeyShown):
    """A new key; `key` is told this once."""

    key: str


class SessionShown(BaseModel):
    """Where somebody is logged in; `current` marks the one that asks."""

    id: str
    created_at: float
    expires_at: float
    agent: str
    address: str
    current: bool


class Users(BaseModel):
    """The answer to `GET /users`."""

    users: list[UserShown]


class Keys(BaseModel):
    """The answer to `GET /me/keys`."""

    keys: list[KeyShown]


class Sessions(BaseModel):
    """The answer to `GET /me/sessions`."""

    sessions: list[SessionShown]
