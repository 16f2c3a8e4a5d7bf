"""What can go wrong on the way to an OpenAI-compatible server, as errors that say what to do. Keys are in none."""

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import aiohttp
from aiohttp import hdrs

from app.errors import ModelError, ModelMissing, ModelRefused, ModelTimeout, ModelUnavailable
from app.llms.models_file import Entry
from app.llms.openai_parts import Refusal
from app.settings import ServerSettings

LONGEST_RETRY_S = 3600


@dataclass(frozen=True)
class Problems:
    """The errors of one server. `key` is taken out of whatever it says."""

    entry: Entry
    settings: ServerSettings
    key: str = ""

    @property
    def _who(self) -> str:
        return f"{self.entry.name} at {self.entry.base_url}"

    def quote(self, text: str) -> str:
        """The server's own words, without the key."""
        return (text.replace(self.key, "…") if self.key else text)[:300]

    @contextlib.contextmanager
    def explained(self) -> Iterator[None]:
        """Turn what aiohttp, asyncio and json raise inside into `ModelError`s."""
        try:
            yield
        except (aiohttp.ConnectionTimeoutError, aiohttp.ServerTimeoutError) as error:
            raise ModelUnavailable(
                f"{self._who} did not answer within {self.settings.connect_timeout_s:g} s. Check its base_url in "
                "MODELS_FILE; if the machine is only busy, raise CONNECT_TIMEOUT_S."
            ) from error
        except TimeoutError as error:
            raise ModelTimeout(
                f"{self._who} sent nothing for {self.settings.first_token_timeout_s:g} s. Ask again, or raise "
                "FIRST_TOKEN_TIMEOUT_S."
            ) from error
        except aiohttp.ClientConnectorError as error:
            raise ModelUnavailable(
                f"Nothing answers for {self._who}. Start that server, or correct its base_url in MODELS_FILE."
            ) from error
        except aiohttp.ClientError as error:
            raise self.broken_off(type(error).__name__) from error
        except (ValueError, RecursionError) as error:
            raise ModelError(
                f"What answers for {self._who} speaks no OpenAI-compatible chat. Check its base_url in MODELS_FILE; "
                "mostly it ends in /v1."
            ) from error

    def broken_off(self, what: str) -> ModelError:
        """A connection or a stream that ended too early."""
        return ModelError(f"{self._who} broke off ({self.quote(what)}). Ask again; its log may say why.")

    def keyless(self) -> ModelUnavailable:
        """The variable that should hold the key is empty."""
        return ModelUnavailable(f"{self._who} needs a key: set {self.entry.key_env}, or ask another model.")

    def too_long(self, tokens: int) -> ModelRefused:
        """The prompt does not fit."""
        has = f"has {tokens} tokens and " if tokens else ""
        return ModelRefused(
            f"The prompt {has}does not fit the window of {self._who}. Ask again if this was the first time; else "
            f"set a smaller `window` for {self.entry.name} in MODELS_FILE, or lower TOP_K."
        )

    def blocked(self) -> ModelRefused:
        """The server would not let the answer through."""
        return ModelRefused(f"{self._who} will not answer this prompt. Ask in other words, or ask another model.")

    def refused(self, status: int, refusal: Refusal, headers: Mapping[str, str]) -> ModelError:
        """An answer with another status than 200."""
        said = self.quote(refusal.message)
        if status in (401, 403):
            where = f"the key in {self.entry.key_env}" if self.entry.key_env else "a question without a key"
            return ModelUnavailable(f"{self._who} refused {where}. Set the right one, or ask another model.")
        if status == 404:
            return ModelMissing(
                f"{self._who} has no model {self.entry.model}: {said} Correct `model` or `base_url` of "
                f"{self.entry.name} in MODELS_FILE."
            )
        if status in (429, 503):
            return self._busy(status, said, _read_wait(headers))
        if status >= 500:
            return ModelError(f"{self._who} failed with status {status}: {said} Ask again; its log may say why.")
        if status < 400:
            return ModelError(f"{self._who} sends elsewhere (status {status}). Set base_url to the final address.")
        return ModelRefused(f"{self._who} refused the question with status {status}: {said}")

    def _busy(self, status: int, said: str, wait_s: int) -> ModelUnavailable:
        again = f"in {wait_s} s" if wait_s else "in a moment"
        what = "takes no more questions for now" if status == 429 else "is busy"
        error = ModelUnavailable(f"{self._who} {what}: {said} Ask again {again}, or ask another model.")
        error.retry_after_s = wait_s
        return error


def _read_wait(headers: Mapping[str, str]) -> int:
    """Seconds of a Retry-After header, a number or a date; 0 when there is none that can be read."""
    value = headers.get(hdrs.RETRY_AFTER, "")
    try:
        wait_s = int(value) if value.isdigit() else round(parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return 0
    return min(max(wait_s, 0), LONGEST_RETRY_S)
