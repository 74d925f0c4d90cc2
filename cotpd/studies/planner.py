"""Turns a study's cells into jobs, of which cells that ask for the same share one.

Trade-off: what a training does not read is set to its default before the job is named, so that two cells which
differ in it share the training; whoever adds a parameter decides here which trainings read it.
"""

from itertools import product
from typing import Literal

from cotpd.config import Params
from cotpd.student.params import DistilParams, StudentParams, Teacher, TrainParams
from cotpd.studies.inputs import LeftOut, Level, Source, Sources
from cotpd.studies.jobs import DEFAULT_DISTIL, DEFAULT_STUDENT, Job, Role, compute_key
from cotpd.studies.study import Cell, NamedStudy


class Planner:
    """Turns the cells of a study into jobs.

    Args:
        named: The study and the parameters of its cells.
        sources: Builds the examples.

    Attributes:
        jobs: Every job by its key, each after the jobs that it needs.
    """

    def __init__(self, named: NamedStudy, sources: Sources) -> None:
        self.study, self.params, self.sources = named.study, named.params, sources
        self.jobs: dict[str, Job] = {}

    def plan_cell(self, cell: Cell, seed: int) -> str:
        """Plan the jobs of one cell and seed, and return the key of the one that predicts."""
        params = self.params[cell.name]
        if cell.is_llm:
            return self._plan_labels(cell).key
        model = self._plan_model(cell, params, seed)
        own_level: Level = "knowledge" if cell.model == "teacher" else "text"
        level: Level = own_level if cell.reads == "own" else cell.reads
        data_set = self.study.data_sets[self.study.get_data_set(cell.test_on or cell.train_on)]
        source = Source(
            data_set=data_set,
            changes=self.study.list_changes(cell),
            split=self.study.split,
            level=level,
        )
        reads_more = cell.model == "teacher" or level != "text"
        return self._add(
            kind="predict",
            title=f"{cell.name}, seed {seed}: predictions",
            role=cell.model,
            needs=(model.key,),
            examples=source,
            view="knowledge" if reads_more else "own",
            student=model.student,
            run=TrainParams(batch_size=params.evaluate.batch_size, device=params.evaluate.device),
        ).key

    def _plan_labels(self, cell: Cell) -> Job:
        """Plan the predictions of the language model alone, which are the same for every seed."""
        data_set = self.study.data_sets[self.study.get_data_set(cell.test_on or cell.train_on)]
        source = Source(
            data_set=data_set,
            changes=self.study.list_changes(cell),
            split=self.study.split,
            level="text",
            row=cell.model,
        )
        return self._add(kind="predict", title=f"{cell.name}: predictions", role=cell.model, examples=source)

    def _plan_model(self, cell: Cell, params: Params, seed: int) -> Job:
        """Plan the training of a cell's model, with those of its teachers."""
        if cell.model == "baseline":
            return self._plan_baseline(cell, params, seed)
        if cell.model == "teacher":
            first = params.teach.list_teachers(params.student.encoder)[0]
            return self._plan_teacher(cell, params, first._replace(seed=seed), "knowledge")
        level: Level = "text" if cell.model == "control" else "knowledge"
        if params.distil.way == "joint":
            return self._plan_joint_student(cell, params, seed, level)
        return self._plan_student(cell, params, seed, level)

    def _plan_baseline(self, cell: Cell, params: Params, seed: int) -> Job:
        return self._add_training(
            cell, params, "baseline", seed, view="text", level="text", augmented=False, run=params.baseline
        )

    def _plan_teachers(self, cell: Cell, params: Params, level: Level) -> list[Job]:
        """Plan every teacher of a student, each once or once without each fold, as step teach trains them."""
        teach = params.teach
        parts: list[LeftOut | None] = [None]
        if teach.folds > 1:
            parts = [LeftOut(folds=teach.folds, fold=fold, seed=teach.seed) for fold in range(teach.folds)]
        return [
            self._plan_teacher(cell, params, teacher, level, part)
            for teacher, part in product(teach.list_teachers(params.student.encoder), parts)
        ]

    def _plan_teacher(
        self, cell: Cell, params: Params, teacher: Teacher, level: Level, left_out: LeftOut | None = None
    ) -> Job:
        """Plan a teacher; it reads the knowledge view, or the text if it is one of the control's."""
        teacher_params = params.model_copy(update={"student": params.student.adapt_to_teacher(teacher.encoder)})
        view: Literal["text", "knowledge"] = "text" if level == "text" else "knowledge"
        return self._add_training(
            cell,
            teacher_params,
            "teacher",
            teacher.seed,
            view=view,
            level=level,
            run=teacher.run,
            left_out=left_out,
        )

    def _plan_joint_student(self, cell: Cell, params: Params, seed: int, level: Level) -> Job:
        # joint training reads neither: two cells that differ in them alone must share a training
        unread = {"start": DEFAULT_DISTIL.start, "gold": DEFAULT_DISTIL.gold}
        distil = params.distil.model_copy(update=unread)
        return self._add_training(
            cell, params, cell.model, seed, view="joint", level=level, run=params.train, distil=distil
        )

    def _plan_student(self, cell: Cell, params: Params, seed: int, level: Level) -> Job:
        """Plan a student of frozen teachers, the teachers and their soft targets."""
        folds = params.teach.folds if params.teach.folds > 1 else 0
        teachers = self._plan_teachers(cell, params, level)
        targets = self._add(
            kind="targets",
            title=f"{cell.name}: soft targets",
            role=cell.model,
            needs=tuple(teacher.key for teacher in teachers),
            examples=self._build_source(cell, "train", level, unlabelled=True),
            distil=DistilParams(temperature=params.distil.temperature),
            student=teachers[0].student,
            seed=params.teach.seed if folds else 0,
            run=TrainParams(device=params.teach.device, bf16=params.teach.bf16),
            folds=folds,
        )
        return self._plan_distillation(cell, params, seed, targets, teachers[0])

    def _plan_distillation(self, cell: Cell, params: Params, seed: int, targets: Job, first_teacher: Job) -> Job:
        """Plan the training of a student from soft targets; it may begin with the first teacher's weights."""
        start = first_teacher.key if params.distil.start == "teacher" else ""
        return self._add_training(
            cell,
            params,
            cell.model,
            seed,
            view="frozen",
            level="text",
            unlabelled=True,
            run=params.train,
            distil=params.distil,
            needs=(targets.key, *([start] if start else [])),
            start=start,
        )

    def _build_source(
        self,
        cell: Cell,
        split: Literal["train", "valid"],
        level: Level,
        *,
        augmented: bool = True,
        unlabelled: bool = False,
        left_out: LeftOut | None = None,
    ) -> Source:
        is_train = split == "train"
        return Source(
            data_set=self.study.data_sets[self.study.get_data_set(cell.train_on)],
            changes=self.study.list_changes(cell),
            split=split,
            level=level,
            augmented=augmented and is_train,
            unlabelled=unlabelled and is_train,
            left_out=left_out,
        )

    def _add_training(
        self,
        cell: Cell,
        params: Params,
        role: Role,
        seed: int,
        *,
        view: Literal["text", "knowledge", "joint", "frozen"],
        level: Level,
        run: TrainParams,
        augmented: bool = True,
        unlabelled: bool = False,
        distil: DistilParams = DEFAULT_DISTIL,
        needs: tuple[str, ...] = (),
        start: str = "",
        left_out: LeftOut | None = None,
    ) -> Job:
        """Add a training of one cell."""
        data_set = self.study.data_sets[self.study.get_data_set(cell.train_on)]
        examples = self._build_source(
            cell, "train", level, augmented=augmented, unlabelled=unlabelled, left_out=left_out
        )
        return self._add(
            kind="train",
            title=f"{cell.name}: {role} {seed}" + (f" without fold {left_out.fold}" if left_out else ""),
            role=role,
            needs=needs,
            examples=examples,
            valid=self._build_source(cell, "valid", level),
            view=view,
            seed=seed,
            types=self.sources.get_tables(data_set, self.study.list_changes(cell)).types,
            student=_drop_unread(params.student, view),
            run=TrainParams(**run.model_dump(include=set(TrainParams.model_fields))),
            distil=distil,
            start=start,
        )

    def _add(self, *, examples: Source, valid: Source | None = None, **fields: object) -> Job:
        """Add a job, unless there is one of the same content, and return the one that is planned."""
        size, digest = self.sources.measure(examples)
        job = Job(
            examples=examples,
            valid=valid,
            size=size,
            digest=digest,
            task=self.sources.task,
            **fields,  # type: ignore[arg-type]
        )
        digests = [digest, *([self.sources.measure(valid)[1]] if valid else [])]
        job = job.model_copy(update={"key": compute_key(job, digests)})
        return self.jobs.setdefault(job.key, job)


def _drop_unread(student: StudentParams, view: str) -> StudentParams:
    """Return the architecture with defaults for what a view does not read, so that cells share its training."""
    names: list[str] = []
    if view in ("text", "knowledge"):
        names += ["generator_layers", "generator_heads"]
        student = student.drop_prompts()
    if view in ("text", "frozen"):
        names += ["knowledge_length", "knowledge_order"]
    return student.model_copy(update={name: getattr(DEFAULT_STUDENT, name) for name in names})
