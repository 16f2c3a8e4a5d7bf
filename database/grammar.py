"""The small words of four languages, by which a follow-up question is known.

Pairs of words in pages leave them out (`page_terms.py`), so `index.SCHEMA` changes with them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from database.analysis import fold


@dataclass(frozen=True)
class Grammar:
    """Words of one language by what they do in a question, in small letters; each field parted by blanks."""

    connectors: str
    """They begin a question that goes on from the one before."""
    pronouns: str
    """They stand for a thing named before, and may be replaced by its name."""
    possessives: str
    """They point to a thing named before; its name stands elsewhere in the sentence."""
    demonstratives: str
    """Before a noun they point to what was said before."""
    asking: str
    determiners: str
    prepositions: str
    """Families of contractions, parted by commas."""
    others: str
    """Auxiliaries, adverbs, and what is said about an answer ("explain better")."""
    dummies: str
    """Beside them a pronoun stands for nothing ("how long does it take")."""

    def has(self, list_name: str, word: str) -> bool:
        """Whether `word`, with its accents, is in the list of this name."""
        return word in self._sets[list_name]

    @cached_property
    def families(self) -> Mapping[str, str]:
        """Each preposition → the first of its family."""
        return {word: family.split()[0] for family in self.prepositions.split(",") for word in family.split()}

    @cached_property
    def small(self) -> frozenset[str]:
        """Every word without a content of its own, folded."""
        return frozenset(fold(" ".join(self.spelt)).split())

    @cached_property
    def spelt(self) -> frozenset[str]:
        """The same with their accents."""
        lists = [words for name, words in vars(self).items() if isinstance(words, str) and name != "dummies"]
        return frozenset(" ".join(lists).replace(",", " ").split())

    @cached_property
    def _sets(self) -> Mapping[str, frozenset[str]]:
        return {name: frozenset(words.split()) for name, words in vars(self).items() if isinstance(words, str)}


PT = Grammar(
    connectors="e mas então entao ou aí também tambem só apenas somente",
    pronouns="isso isto aquilo ele ela eles elas",
    possessives="seu sua seus suas dele dela deles delas disso disto daquilo nele nela neles nelas nisso nisto lá ali",
    demonstratives="esse essa esses essas este esta estes estas aquele aquela desse dessa desses dessas deste desta "
    "destes destas daquele daquela nesse nessa nesses nessas neste nesta nestes nestas",
    asking="que quê qual quais quem onde aonde quando como quanto quanta quantos quantas porque porquê cadê",
    determiners="o a os as um uma uns umas",
    prepositions="de do da dos das, em no na nos nas num numa, ao aos à às, para pra pro, por pelo pela pelos pelas, "
    "com, sem, entre, sobre, desde, até, segundo, durante, após, contra",
    others="outro outra outros outras é são foi foram era eram ser sendo seria será serão está estão estava "
    "esteve estar tem têm tinha teve ter há havia houve haver pode podem poderia deve devem vai vão ia "
    "faz fez foram não sim se eu você vocês me mais menos muito ainda já agora depois antes assim bem "
    "melhor mesmo mesma explique explica explicar detalhe detalhes detalhar resuma resumir resumo "
    "exemplo exemplos cite conte diga fale favor certeza tal caso sentido",
    dummies="possível preciso necessário verdade",
)
EN = Grammar(
    connectors="and but so then or also only just",
    pronouns="it they them he she him this that these those",
    possessives="its their theirs his her hers",
    demonstratives="this these those such",
    asking="what which who whom whose where when why how",
    determiners="the a an any some",
    prepositions="of, in on at within, for, to into, from since, by, with, without, about, between among, during, "
    "after, before, under over, per, as, like, until, than, against, according",
    others="there other others another same is are was were be been being am do does did doing has have had "
    "having can could may might must shall should will would not no yes if you i me my we us our your "
    "please more less much many most further very even still yet already now again else one ones s t re "
    "explain elaborate detail details tell give show say example examples summarize summarise summary "
    "shorter mean means sure exactly right case",
    dummies="possible necessary important true take takes took taken known likely said",
)
ES = Grammar(
    connectors="y e pero entonces o también solo sólo solamente",
    pronouns="eso esto aquello él ella ellos ellas",
    possessives="su sus suyo suya suyos suyas allí ahí allá",
    demonstratives="ese esa esos esas este esta estos estas aquel aquella dicho dicha",
    asking="qué que cuál cuáles quién quiénes dónde adónde cuándo cómo cuánto cuánta cuántos cuántas porqué",
    determiners="el la los las lo un una unos unas",
    prepositions="de del, en, a al, para, por, con, sin, entre, sobre, desde, hasta, según, durante, tras, contra",
    others="otro otra otros otras es son fue fueron era eran ser sido sería será está están estaba estuvo "
    "estar hay había hubo haber ha han he tiene tienen tenía tuvo tener puede pueden podría debe deben "
    "va van iba hace hizo no sí si yo tú usted ustedes me se más menos muy mucho aún todavía ya ahora "
    "después antes así bien mejor mismo misma explica explique explicar detalle detalles resume resuma "
    "resumen ejemplo ejemplos di diga cuenta favor seguro tal caso sentido",
    dummies="posible necesario verdad",
)
FR = Grammar(
    connectors="et mais alors aussi seulement",
    pronouns="il elle ils elles ça cela ceci",
    possessives="son sa ses leur leurs lui eux",
    demonstratives="ce cet cette ces",
    asking="que qu quoi quel quelle quels quelles qui où quand comment combien pourquoi lequel laquelle",
    determiners="le la les l un une des",
    prepositions="de du des d, en, dans, à au aux, pour, par, avec, sans, entre, sur, sous, depuis, vers, chez, "
    "selon, pendant durant, après, avant, contre, jusque",
    others="autre autres y est sont était étaient fut furent être été sera serait a ont avait avaient eut "
    "avoir eu y il peut peuvent pourrait doit doivent va vont fait faire ne n pas non oui si s se je tu "
    "vous nous me te c t on plus moins très encore déjà maintenant ensuite ainsi bien mieux même mêmes "
    "explique expliquez expliquer détail détails résume résumez résumé exemple exemples dis dites donne "
    "donnez propos sûr tel cas",
    dummies="faut agit existe y passé question possible nécessaire vrai",
)
GRAMMARS: Mapping[str, Grammar] = {"pt": PT, "en": EN, "es": ES, "fr": FR}
"""By ISO 639-1."""


def small_words(language: str) -> frozenset[str]:
    """The small words of `language`, folded; none for one that has no grammar here."""
    return GRAMMARS[language].small if language in GRAMMARS else frozenset()
