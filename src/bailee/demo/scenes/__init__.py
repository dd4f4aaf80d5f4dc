"""The scenes, in the order in which they are told."""

from bailee.demo.scenes import calls, custody, fakes, locks, record
from bailee.demo.telling import Scene

SCENES = (
    Scene("key", "A user makes a key at the API", custody.key),
    Scene("custody", "Bailee takes it into custody", custody.custody),
    Scene("call", "The application calls the API through Bailee", calls.call),
    Scene("thief", "A thief has the same key", calls.thief),
    Scene("lock", "The lock is proven, and not believed", locks.lock),
    Scene("fake", "A fake takes the API's place, certified by a trusted CA", fakes.fake),
    Scene("refusals", "Who may not, gets nothing through", calls.refusals),
    Scene("moved", "The provider's record is made to lead elsewhere", fakes.moved),
    Scene("journal", "All of it was written down before it left", record.journal),
)
