"""Settings of the corpus stage."""

from pydantic import Field

from lib.settings.base import StageSettings


class CleaningSettings(StageSettings):
    """What happens to each document by itself."""

    strip_html: bool = True
    """Remove HTML tags, scripts and styles, and decode character references."""
    unicode_form: bool = True
    """Apply NFKC, except to Chinese punctuation, which keeps its full width."""
    strip_control: bool = True
    """Remove control, zero-width and other invisible characters."""
    collapse_whitespace: bool = True
    """Trim lines, fold runs of blanks, drop blank lines and blanks between Chinese characters."""
    minimum_length: int = Field(default=100, ge=1)
    """Documents with fewer characters than this after cleaning are dropped."""


class SplitSettings(StageSettings):
    """Which documents are held out."""

    validation_fraction: float = Field(default=0.05, gt=0, lt=1)
    """Share of documents held out from training, chosen by a hash of their text."""


class CorpusSettings(CleaningSettings, SplitSettings):
    sources: str = "config/corpus.tsv"
    """Sheet with one row per source of text."""
    shards: int = Field(default=4, ge=1, le=10_000)
    """Number of pieces that each source is cut into; they are processed in parallel."""
