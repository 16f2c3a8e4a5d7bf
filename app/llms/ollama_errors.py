"""What can go wrong on the way to Ollama, as errors that say what to do."""

import contextlib
from collections.abc import Iterator

import aiohttp

from app.errors import ModelError, ModelMissing, ModelRefused, ModelTimeout, ModelUnavailable
from app.settings import ServerSettings


@contextlib.contextmanager
def explain(settings: ServerSettings) -> Iterator[None]:
    """Turn what aiohttp, httpx and the ollama package raise inside into `ModelError`s."""
    # Here and in the other modules only when needed: they are a sixth of what a start takes.
    import httpx
    import ollama

    try:
        yield
    except ollama.ResponseError as error:
        raise refused(settings, error.status_code, error.error) from error
    except (aiohttp.ServerTimeoutError, httpx.TimeoutException) as error:
        raise ModelUnavailable(
            f"Ollama at {settings.ollama_address} did not answer within {settings.connect_timeout_s:g} s. Check "
            "OLLAMA_HOST; if the machine is only busy, raise CONNECT_TIMEOUT_S."
        ) from error
    except TimeoutError as error:
        raise ModelTimeout(
            f"Ollama at {settings.ollama_address} sent nothing for {settings.first_token_timeout_s:g} s. It may still "
            f"be loading {settings.ollama_model}: ask again, raise FIRST_TOKEN_TIMEOUT_S, or set OLLAMA_MODEL to a "
            "smaller model."
        ) from error
    except aiohttp.ClientConnectorError as error:
        raise absent(settings) from error
    except (aiohttp.InvalidURL, httpx.InvalidURL) as error:
        raise not_ollama(settings) from error
    except (aiohttp.ClientError, httpx.HTTPError) as error:
        raise broken_off(settings, type(error).__name__) from error
    except ConnectionError as error:  # what the ollama package makes of httpx.ConnectError
        raise absent(settings) from error
    except ValueError as error:  # an answer that is not JSON, or JSON of another shape
        raise not_ollama(settings) from error


def refused(settings: ServerSettings, status: int, text: str) -> ModelError:
    """The error for an answer of Ollama's with another status than 200 and this text in it."""
    host, model = settings.ollama_address, settings.ollama_model
    if status == 404:
        return ModelMissing(
            f"Ollama at {host} has no model {model}. Fetch it with `ollama pull {model}`, or set OLLAMA_MODEL to "
            "one that `ollama list` shows."
        )
    if status == 503:
        return ModelUnavailable(f"Ollama at {host} is busy: {text}. Ask again in a moment.")
    if status == 500:
        return ModelError(
            f"Ollama could not run {model}: {text}. If memory is short, set OLLAMA_MODEL to a smaller model or "
            f"NUM_CTX (now {settings.num_ctx}) to a smaller window."
        )
    kind = ModelRefused if status == 400 else ModelError
    return kind(f"Ollama at {host} refused with status {status}: {text}. Its log says more.")


def absent(settings: ServerSettings) -> ModelUnavailable:
    """The error for an address where nothing listens."""
    return ModelUnavailable(
        f"No Ollama answers at {settings.ollama_address}. Start it with `ollama serve`, or set OLLAMA_HOST to its "
        "address."
    )


def broken_off(settings: ServerSettings, what: str) -> ModelError:
    """The error for a connection or a stream that ended too early."""
    return ModelError(
        f"Ollama at {settings.ollama_address} broke off ({what}). Ask again; if it happens again, its log says why."
    )


def not_ollama(settings: ServerSettings) -> ModelError:
    """The error for an answer in another format."""
    return ModelError(f"What answers at {settings.ollama_address} is no Ollama. Set OLLAMA_HOST to the address of one.")
