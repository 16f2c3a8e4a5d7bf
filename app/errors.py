"""What only a server can meet, below `database.errors.AcervoError`.

AcervoError
├── BadRequest           400  the body or a parameter is wrong
│   └── UnknownModel     400  the model that a question names is not here
├── Unauthorised         401  nobody knows who asks
├── Forbidden            403  whoever asks may not
├── ForbiddenOrigin      403  a page of another origin asked
├── NotFound             404  no such route, document or page
│   └── ModelNotFound    404  no such model, told to a client of OpenAI's or Ollama's interface
├── Conflict             409  not in the state that it is in now
├── NoSuchPart           416  a file has no such part
├── TooSlow              408  the body did not arrive within BODY_TIMEOUT_S
├── TooManyRequests      429  more attempts or questions than a limit allows
├── Stopping             503  the server is being stopped
├── TooBusy              503  as many answers as MAX_ANSWERS are being written
├── ReadError            422  (database.errors) an uploaded file is refused
│   └── TooManyFiles     429  more files than are taken at a time
└── ModelError           502  the model answered wrongly or broke off
    ├── ModelUnavailable 503  no model service at its address, or no key for it
    ├── ModelMissing     503  the service lacks the model; says how to fetch it
    ├── ModelRefused     502  the model cannot or will not take this prompt; others may
    └── ModelTimeout     504  no first token within FIRST_TOKEN_TIMEOUT_S
"""

from database.errors import AcervoError, ReadError


class BadRequest(AcervoError):
    """The request's body, headers or parameters are wrong."""

    status = 400


class UnknownModel(BadRequest):
    """The model that a question names is not here."""


class Unauthorised(AcervoError):
    """A login or a key is needed, or is wrong."""

    status = 401
    kind = "login"


class Forbidden(AcervoError):
    """Whoever asks may not do this."""

    status = 403
    kind = "forbidden"


class ForbiddenOrigin(AcervoError):
    """A browser page from an origin that is not allowed."""

    status = 403


class NotFound(AcervoError):
    """No such route, document or page."""

    status = 404


class ModelNotFound(NotFound):
    """`UnknownModel` as clients of other interfaces expect it."""

    kind = "model_not_found"


class Conflict(AcervoError):
    """What is asked for does not go with the state of things."""

    status = 409


class NoSuchPart(AcervoError):
    """The Range of a request names no part of the file."""

    status = 416


class TooManyFiles(ReadError):
    """More files than a request may bring, or than may wait."""

    status = 429
    kind = "too_many"
    retry_after_s = 5


class TooSlow(AcervoError):
    """The client did not send its request in time."""

    status = 408


class TooManyRequests(AcervoError):
    """Somebody tries too often."""

    status = 429
    kind = "too_often"

    def __init__(self, message: str, retry_after_s: int):
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Stopping(AcervoError):
    """The server is being stopped."""

    status = 503
    retry_after_s = 5


class TooBusy(AcervoError):
    """Too many answers at once."""

    status = 503
    retry_after_s = 2


class ModelError(AcervoError):
    """The model answered with an error, with garbage, or broke off."""

    status = 502
    kind = "model"


class ModelUnavailable(ModelError):
    """No model service answers, or its key is missing."""

    status = 503


class ModelMissing(ModelError):
    """The service is there but lacks the model."""

    status = 503


class ModelRefused(ModelError):
    """This model does not take this question: too long a prompt, say. That tells nothing about the next one."""


class ModelTimeout(ModelError):
    """The model did not begin to answer in time."""

    status = 504
