"""Where the prompts of a set lie, found without a template engine: parameters are read without the extra llm."""

from pathlib import Path

from cotpd.errors import ConfigError

SHIPPED = Path(__file__).parent.parent / "prompts"


def find_prompt_folder(name_or_path: str | Path, root: Path = Path()) -> Path:
    """Return the folder of a shipped set, by its name, or another folder.

    Args:
        name_or_path: The set.
        root: The folder from which a path is read.

    Raises:
        ConfigError: There is no such folder.
    """
    shipped = SHIPPED / str(name_or_path)
    folder = shipped if shipped.is_dir() else root / name_or_path
    if not folder.is_dir():
        names = ", ".join(sorted(path.name for path in SHIPPED.iterdir() if (path / "noun.txt").is_file()))
        raise ConfigError(f"{name_or_path}: there is no such prompt set", f"Shipped: {names}; or give a folder.")
    return folder


def find_extraction_prompt(prompt_set: str | Path, task: str, root: Path = Path()) -> Path:
    """Return the file of the prompt that asks for the labels of a task.

    Raises:
        ConfigError: There is no such set, or it has no prompt for the task.
    """
    path = find_prompt_folder(prompt_set, root) / f"extract-{task}.txt"
    if not path.is_file():
        raise ConfigError(
            f"the prompt set {prompt_set} has no {path.name}, which asks for the labels of task {task}",
            "Set llm_row.enabled: false, or write that prompt into a folder and name it in llm_row.prompts "
            "(docs/llm-row.md).",
        )
    return path
