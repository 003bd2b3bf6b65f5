"""The reference of environment variables: those of the settings' classes, and the few that are read elsewhere."""

from typing import Any, Final

from pydantic import SecretStr
from pydantic_settings import BaseSettings

from animals.frontend.settings import PageSettings
from animals.monitoring.settings import ReportSettings
from animals.monitoring.trigger import TriggerSettings
from animals.serving.settings import BackendSettings
from animals.training.release.announce import AnnounceSettings
from docs.generate.markdown import code, page, table

READERS: Final[dict[str, type[BaseSettings]]] = {
    "The backend": BackendSettings,
    "The page": PageSettings,
    "The report": ReportSettings,
    "Asking for a training": TriggerSettings,
    "Announcing a version": AnnounceSettings,
}

OTHERS: Final = {
    "ANIMALS_BUCKET": "The bucket of training and of every command, as of the services: a folder or gs://name/prefix.",
    "ANIMALS_DEBUG": "1 shows the traceback of an error that a command would tell in one sentence.",
    "WANDB_API_KEY": "With it, runs are sent to Weights & Biases; without, they stay offline in the run's folder.",
    "WANDB_MODE": "`online`, `offline` or `disabled`, where `tracking.mode` is `auto`.",
    "WANDB_BASE_URL": "Another server of Weights & Biases.",
    "ANIMALS_WANDB_KEY_NAME": "Where Secret Manager keeps that key: projects/PROJECT/secrets/NAME/versions/latest.",
    "ANIMALS_RUN": "Set by a training for the processes that it starts: the folder of their run.",
    "AIP_CHECKPOINT_DIR": "Set by Vertex AI: where in a bucket runs are kept besides, so that another machine goes on.",
    "GOOGLE_CLOUD_PROJECT": "The project of `gcp-setup`, `build`, `deploy` and `train-cloud`, where none is given.",
    "HF_HOME": "Where pretrained weights are kept; read by the Hugging Face library.",
    "CLUSTER_SPEC": "Set by Vertex AI: the machines of a training.",
    "RANK": "Set by `torchrun`: the place of this process among all.",
    "LOCAL_RANK": "Set by Lightning: the place of this process on its machine.",
    "NODE_RANK": "Set on a cluster: the place of this machine.",
    "STORAGE_EMULATOR_HOST": "A stand-in for Google Cloud Storage, as in the tests.",
    "GCE_METADATA_HOST": "A stand-in for Google's metadata server, as in the tests.",
}
"""Not settings of a service; a test finds what the code reads."""


def variables(kind: type[BaseSettings]) -> dict[str, Any]:
    """Each field of a settings' class by its variable."""
    prefix = str(kind.model_config.get("env_prefix", ""))
    return {
        str(field.validation_alias or f"{prefix}{name}".upper()): field for name, field in kind.model_fields.items()
    }


def environment_page() -> str:
    """Each variable with its default and meaning."""
    return page(
        "Environment variables",
        "Services are set up by these alone. A variable that is set to nothing counts as not set; one with an "
        "impossible value keeps the service from starting, with a sentence that names it. A *secret* is never logged.",
        *(f"## {title}\n\n{_doc(kind)}\n\n{_rows(kind)}" for title, kind in READERS.items()),
        "## Commands\n\n" + table(("variable", "meaning"), [(code(name), doc) for name, doc in OTHERS.items()]),
    )


def _doc(kind: type[BaseSettings]) -> str:
    return (kind.__doc__ or "").partition("\n")[0]


def _rows(kind: type[BaseSettings]) -> str:
    rows = [(code(name), _default(field), field.description or "") for name, field in variables(kind).items()]
    return table(("variable", "default", "meaning"), rows)


def _default(field: Any) -> str:
    if field.default is None:
        return "*secret*" if SecretStr in getattr(field.annotation, "__args__", ()) else ""
    return code(field.default)
