"""The sections of params.yaml on what is learnt and how: the student, its training runs and the distillation."""

from typing import Annotated, Literal, NamedTuple, Self

from pydantic import BeforeValidator, Field

from cotpd.section import Section


def _read_switch(value: object) -> object:
    """Return "on" or "off" for a truth value: YAML 1.1 reads a bare on or off as one."""
    return ("on" if value else "off") if isinstance(value, bool) else value


class StudentParams(Section):
    """The student's architecture; saved with its weights."""

    encoder: str = "all-MiniLM-L6-v2"
    """A catalogued name (cotpd models list), a hub name or a folder."""
    layers: int | None = Field(default=None, ge=1)
    """Evenly spaced layers of the encoder that student and baseline keep: a smaller, faster student. Teachers keep
    all layers; null keeps all."""
    prompt_length: int = Field(default=16, ge=0)
    """m, the number of generated prompt vectors; 0 leaves the generator out."""
    generator_layers: int = Field(default=1, ge=1)
    """Layers of the conditional prompt generator."""
    generator_heads: int = Field(default=4, ge=1)
    """Attention heads of the generator."""
    max_length: int = Field(default=128, ge=8)
    """Longest prompt view in sub-words, prompt vectors included; longer posts are read in windows."""
    knowledge_length: int = Field(default=160, ge=16)
    """Longest knowledge view in sub-words; the post is kept whole, knowledge is cut from the end."""
    knowledge_order: tuple[Literal["caption", "noun", "sentence", "multimodality"], ...] = (
        "caption",
        "noun",
        "sentence",
        "multimodality",
    )
    """What follows the post in the knowledge view, first to last."""
    constrained: bool = True
    """NER: forbid label transitions that BIO does not allow."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Dropout before the head."""

    @property
    def own_view(self) -> Literal["prompt", "text"]:
        """The view in which the student reads a post: behind its prompts, or the text alone without any."""
        return "prompt" if self.prompt_length else "text"

    def drop_prompts(self) -> Self:
        """Return the same architecture without the prompt generator."""
        return self.model_copy(update={"prompt_length": 0})

    def adapt_to_teacher(self, encoder: str) -> Self:
        """Return the architecture of a teacher: of its own encoder, with all layers."""
        return self.model_copy(update={"encoder": encoder, "layers": None})


class TrainParams(Section):
    """One training run; the defaults are the student's."""

    epochs: int = Field(default=6, ge=1)
    """Passes over the training split."""
    batch_size: int = Field(default=16, ge=1)
    """Posts a step, over all processes."""
    accumulate: int = Field(default=1, ge=1)
    """Parts in which each process computes its posts of a step, one by one: less memory, the same step."""
    checkpointing: bool = False
    """Compute the encoder's layers again in the backward pass instead of keeping them: less memory, more time."""
    freeze_embeddings: bool = False
    """Leave the encoder's word embeddings as they came: faster steps where the vocabulary is most of the model."""
    learning_rate: float = Field(default=1e-4, gt=0)
    """Peak rate of the encoder."""
    head_learning_rate: float = Field(default=1e-3, gt=0)
    """Peak rate of the generator, the CRF and the classifier."""
    weight_decay: float = Field(default=0.01, ge=0)
    """Decoupled weight decay."""
    warmup: float = Field(default=0.1, ge=0, le=1)
    """Share of the steps in which the rates rise; then they fall linearly to zero."""
    max_grad_norm: float = Field(default=1.0, gt=0)
    """Gradients are clipped to this norm."""
    patience: int | None = Field(default=None, ge=1)
    """Stop after so many epochs without a better valid score; null never stops early."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""
    bf16: Annotated[Literal["auto", "on", "off"], BeforeValidator(_read_switch)] = "auto"
    """Mixed precision: auto, on, off; auto switches it on for GPUs and CPUs that have units for bfloat16."""


class BaselineParams(TrainParams):
    """The run that fine-tunes the encoder on text alone."""

    epochs: int = Field(default=8, ge=1)
    """Passes over the training split."""


class OtherTeacherParams(Section):
    """A further teacher, of another encoder; what is not set here is as under teach."""

    encoder: str
    """A catalogued name (cotpd models list), a hub name or a folder."""
    learning_rate: float | None = Field(default=None, gt=0)
    """Peak rate of its encoder (a larger one wants a smaller rate); null takes that of teach."""
    epochs: int | None = Field(default=None, ge=1)
    """Passes over the training split; null takes those of teach."""


class Teacher(NamedTuple):
    """One frozen teacher to be trained."""

    encoder: str
    seed: int
    run: TrainParams


class TeachParams(TrainParams):
    """The runs that make frozen teachers of the knowledge view (distil.way: frozen)."""

    count: int = Field(default=1, ge=1)
    """Teachers, which differ in their seed alone; their soft targets are averaged."""
    folds: int = Field(default=0, ge=0)
    """Cross-fitted teachers: the training posts are cut into so many folds, each teacher is trained without each
    of them, and a post is taught by those that never saw it; 0 or 1 switches it off."""
    seed: int = 13
    """Seed of the first teacher, the next ones count on; not the student's, so that students share teachers."""
    encoder: str | None = None
    """The teachers' encoder, such as a larger one, which teaches more; null takes the student's."""
    others: tuple[OtherTeacherParams, ...] = ()
    """Further teachers of other encoders, in the same average with the same weight:
    {encoder: NAME, learning_rate: null, epochs: null}, null as for the others."""
    epochs: int = Field(default=3, ge=1)
    """Passes over the training split."""

    @property
    def trainings_each(self) -> int:
        """How often each teacher is trained: once, or once without each fold."""
        return max(self.folds, 1)

    def list_teachers(self, encoder: str) -> list[Teacher]:
        """Return the teachers to train, in order; adding one does not change the earlier ones.

        Args:
            encoder: The student's, for teachers that name no encoder.
        """
        run = TrainParams(**self.model_dump(include=set(TrainParams.model_fields)))
        runs = [(self.encoder or encoder, run)] * self.count
        for teacher in self.others:
            overrides = teacher.model_dump(include={"learning_rate", "epochs"}, exclude_none=True)
            runs.append((teacher.encoder, run.model_copy(update=overrides)))
        return [Teacher(name, self.seed + number, settings) for number, (name, settings) in enumerate(runs)]


class ControlParams(Section):
    """The same training without knowledge; the student's gain over it is what the knowledge itself is worth."""

    enabled: bool = False
    """Also train the control, which takes as long as the student and its teachers; a study switches it on."""


class DistilParams(Section):
    """How the two views are brought together (DESIGN: L = L_k + L_p + alpha KL)."""

    way: Literal["joint", "frozen"] = "joint"
    """joint: both views of one model train together, as published. frozen: teachers of the knowledge view are
    trained first; the student then learns from their soft targets for its posts and for data.unlabelled."""
    start: Literal["encoder", "teacher"] = "encoder"
    """frozen: the weights that the student begins with, the bare encoder's or the first teacher's."""
    alpha: float = Field(default=1.0, ge=0)
    """Weight of KL(knowledge || prompt)."""
    gold: float = Field(default=1.0, ge=0)
    """frozen: weight of the student's own task loss on labelled posts."""
    kl: Literal["sequence", "token"] = "sequence"
    """NER: sequence (exact, between the CRFs' distributions) or token (between per-token posteriors)."""
    temperature: float = Field(default=1.0, gt=0)
    """Both sides' scores are divided by it before the KL; the term is multiplied by its square."""
