"""What can go wrong, in the words of the domain; knows no HTTP.

NetletError
├── InputError                what was sent cannot be used as it is
│   ├── MalformedBody           not JSON at all, or not compressed as it says
│   │   └── DuplicateKey          JSON, but with a key twice in an object
│   ├── MalformedTable          not the CSV, Parquet or Arrow it says it is
│   ├── MalformedSnapshot       not a snapshot as some netlet wrote it
│   ├── NewerSnapshot           a snapshot in a format that this netlet does not know
│   ├── MalformedOnnx           no ONNX model, or one that contradicts itself
│   ├── UnsupportedOnnx         an ONNX model that computes what no model here does
│   ├── UnsupportedEncoding     compressed in a way that the service does not know
│   ├── BodyTooLarge            more bytes, or more pieces, than the service reads
│   ├── InvalidRequest          JSON, but not what the route takes
│   │   └── TooManyKeys           an object with more keys than any that a route takes
│   ├── MalformedKey            an Idempotency-Key that is none
│   ├── BadTable                cells, rows or columns that do not fit
│   │   └── NonFiniteNumber       NaN, Infinity, or beyond a float64
│   ├── UnsuitableTarget        a target that the network cannot learn as set
│   ├── TableTooLarge           more rows and columns than the service takes
│   ├── TooManyAnswers          one prediction would be longer than the service sends
│   ├── Unreachable             no row is answered as somebody wants
│   ├── BudgetExceeded          more work or memory than one training may take
│   └── Diverged                the loss became non-finite while training
├── DeadlineExceeded          an answer took longer than the client said it may
├── NotAcceptable             no form of the answer is one that the client takes
├── NotFound
│   ├── ModelNotFound
│   ├── VersionNotFound
│   ├── AliasNotFound
│   ├── JobNotFound
│   ├── KeyNotFound             an API key, by its number
│   ├── PictureNotFound         none is called this
│   ├── NoPicture               the model has nothing that it would show
│   └── DatasetNotFound
├── SnapshotError             a file of the store cannot be served
│   ├── SnapshotDamaged
│   └── SnapshotFormatNewer
├── ExportRefused             an export would answer something else than the server
├── ExportTooLarge            the text of a model would be longer than the service sends
├── OnnxUnavailable           what reads and writes ONNX is not installed
├── DatasetDamaged            a dataset is not what was once written
│   └── DatasetFormatNewer
├── DatasetInUse              a training needs the dataset that is to be deleted
├── NotVerifiable             a version's record is not enough to train it again
├── VersionInUse              an alias points to the version that is to be deleted
├── AliasMoved                an alias is not where who would move it believes
├── NothingToRestore          an alias was nowhere before, or where nothing is any more
├── StorageError              the disk refuses
│   ├── BucketAway              it may be back any time
│   ├── Contended               others wrote the same at the same time, again and again
│   ├── StorageFull
│   ├── StoreInUse              another process has it open
│   ├── CatalogueDamaged        it is no database, or none of ours
│   ├── CatalogueNewer
│   ├── CatalogueForeign        it is that of another store
│   ├── StoreNotEmpty           a backup is to be restored where something is already
│   └── StoreUnfinished         a restore was broken off, or is under way
├── BackupDamaged             a backup is not what was once written
├── BackupNewer
├── Unauthorized              no key is sent, or none that is valid
├── TooManyFailures           that, from one address, over and over
├── Forbidden
│   ├── ScopeMissing            the key is for other routes
│   └── ModelForbidden          the key is for models that are called otherwise
├── RateExceeded              a key asks for more in a second than it may
├── QuotaExceeded             a key has as much of something as it may
├── MalformedHttp             what arrived is no request, or might be two
├── HeadersTooLarge           they are longer, or more, than the service reads
├── UriTooLong
├── UnknownMethod             it is none on any path
├── UnknownCoding             a body is transferred in a way that the service does not know
├── BadHost                   the service does not answer under that name
├── TooSlow                   a request arrives so slowly that others would pay for it
├── Overloaded                too many requests are being answered, or connections open
├── TooManyStreams            too many follow trainings
├── ForeignSite               a page of another site asks for a change
├── Busy                      the queue of trainings is full
├── KeyReused                 an Idempotency-Key stands for another request
├── JobOver                   a job that has ended cannot be paused or stepped
├── NotPaused                 only a job that is paused can be stepped or resumed
├── Cancelled                 a training was ended because somebody asked for it
├── LeaseLost                 a job is another process's by now
├── OrderDamaged              what a training was to learn is not what was once written
│   └── OrderNewer              it is in a format that this netlet does not know
├── OutOfMemory               a training needed more memory than there is
├── TrainingTooLong           a training was stopped at its time limit
├── WorkerLost                the process of a training died
├── PicturesNotInstalled      the library that draws is not there
├── SearchNotInstalled        the library that chooses what a search tries is not there
├── ShuttingDown              the service is about to end
└── Unforeseen                a fault of netlet itself
"""

from app.errors.arriving import (
    BadHost,
    HeadersTooLarge,
    MalformedHttp,
    Overloaded,
    TooManyStreams,
    TooSlow,
    UnknownCoding,
    UnknownMethod,
    UriTooLong,
)
from app.errors.base import NetletError, rebuild
from app.errors.refused import (
    Forbidden,
    ModelForbidden,
    QuotaExceeded,
    RateExceeded,
    ScopeMissing,
    TooManyFailures,
    Unauthorized,
)
from app.errors.sent import (
    BadTable,
    BodyTooLarge,
    BudgetExceeded,
    DeadlineExceeded,
    Diverged,
    DuplicateKey,
    ForeignSite,
    InputError,
    InvalidRequest,
    MalformedBody,
    MalformedKey,
    MalformedOnnx,
    MalformedSnapshot,
    MalformedTable,
    NewerSnapshot,
    NonFiniteNumber,
    NotAcceptable,
    TableTooLarge,
    TooManyAnswers,
    TooManyKeys,
    Unreachable,
    UnsuitableTarget,
    UnsupportedEncoding,
    UnsupportedOnnx,
)
from app.errors.stored import (
    AliasMoved,
    AliasNotFound,
    BackupDamaged,
    BackupNewer,
    BucketAway,
    CatalogueDamaged,
    CatalogueForeign,
    CatalogueNewer,
    Contended,
    DatasetDamaged,
    DatasetFormatNewer,
    DatasetInUse,
    DatasetNotFound,
    ExportRefused,
    ExportTooLarge,
    JobNotFound,
    KeyNotFound,
    ModelNotFound,
    NoPicture,
    NotFound,
    NothingToRestore,
    OnnxUnavailable,
    PictureNotFound,
    SnapshotDamaged,
    SnapshotError,
    SnapshotFormatNewer,
    StorageError,
    StorageFull,
    StoreInUse,
    StoreNotEmpty,
    StoreUnfinished,
    VersionInUse,
    VersionNotFound,
)
from app.errors.working import (
    Busy,
    Cancelled,
    JobOver,
    KeyReused,
    LeaseLost,
    NotPaused,
    NotVerifiable,
    OrderDamaged,
    OrderNewer,
    OutOfMemory,
    PicturesNotInstalled,
    SearchNotInstalled,
    ShuttingDown,
    TrainingTooLong,
    Unforeseen,
    WorkerLost,
)

__all__ = [
    "AliasMoved",
    "AliasNotFound",
    "BackupDamaged",
    "BackupNewer",
    "BadHost",
    "BadTable",
    "BodyTooLarge",
    "BucketAway",
    "BudgetExceeded",
    "Busy",
    "Cancelled",
    "CatalogueDamaged",
    "CatalogueForeign",
    "CatalogueNewer",
    "Contended",
    "DatasetDamaged",
    "DatasetFormatNewer",
    "DatasetInUse",
    "DatasetNotFound",
    "DeadlineExceeded",
    "Diverged",
    "DuplicateKey",
    "ExportRefused",
    "ExportTooLarge",
    "Forbidden",
    "ForeignSite",
    "HeadersTooLarge",
    "InputError",
    "InvalidRequest",
    "JobNotFound",
    "JobOver",
    "KeyNotFound",
    "KeyReused",
    "LeaseLost",
    "MalformedBody",
    "MalformedHttp",
    "MalformedKey",
    "MalformedOnnx",
    "MalformedSnapshot",
    "MalformedTable",
    "ModelForbidden",
    "ModelNotFound",
    "NetletError",
    "NewerSnapshot",
    "NoPicture",
    "NonFiniteNumber",
    "NotAcceptable",
    "NotFound",
    "NotPaused",
    "NotVerifiable",
    "NothingToRestore",
    "OnnxUnavailable",
    "OrderDamaged",
    "OrderNewer",
    "OutOfMemory",
    "Overloaded",
    "PictureNotFound",
    "PicturesNotInstalled",
    "QuotaExceeded",
    "RateExceeded",
    "ScopeMissing",
    "SearchNotInstalled",
    "ShuttingDown",
    "SnapshotDamaged",
    "SnapshotError",
    "SnapshotFormatNewer",
    "StorageError",
    "StorageFull",
    "StoreInUse",
    "StoreNotEmpty",
    "StoreUnfinished",
    "TableTooLarge",
    "TooManyAnswers",
    "TooManyFailures",
    "TooManyKeys",
    "TooManyStreams",
    "TooSlow",
    "TrainingTooLong",
    "Unauthorized",
    "Unforeseen",
    "UnknownCoding",
    "UnknownMethod",
    "Unreachable",
    "UnsuitableTarget",
    "UnsupportedEncoding",
    "UnsupportedOnnx",
    "UriTooLong",
    "VersionInUse",
    "VersionNotFound",
    "WorkerLost",
    "rebuild",
]
