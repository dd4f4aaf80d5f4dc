# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Split plain HTTP/1.1 messages; `plain.py` says what that is, and what becomes of the parts.

No policy stands here: what is done with a header is asked of Python by its name, and remembered.

Every place `i` of a message is compared with its `end` right before it is read. No other array is
indexed by what a message says: a byte indexes tables of 256, and a name's slot is below SLOTS.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcmp

from bailee.http import kinds as _kinds


cdef extern from *:
    """
    #ifndef PLAIN_SOURCE
    #define PLAIN_SOURCE ""
    #endif
    """
    const char* PLAIN_SOURCE


SOURCE = (<bytes>PLAIN_SOURCE).decode("ascii")

cdef enum:
    SLOTS = 256
    MOST_FIELDS = 8
    MOST_ALONE = 32
    MOST_METHOD = 16
    MOST_HEAD = 8192
    MOST_DIGITS = 15
    TAB = 9
    LF = 10
    CR = 13
    SPACE = 32
    SLASH = 47
    ZERO = 48
    NINE = 57
    COLON = 58
    QUESTION = 63

cdef int PASS = _kinds.PASS
cdef int DROP = _kinds.DROP
cdef int LENGTH = _kinds.LENGTH
cdef int CONNECTION = _kinds.CONNECTION
cdef int URLS = _kinds.URLS
cdef int FIELD = _kinds.FIELD
cdef int ALONE = _kinds.ALONE

cdef bytes BETWEEN = b": "
cdef bytes AFTER = b"\r\n"

# Bytes of a token (RFC 9110, 5.6.2), of a target (RFC 3986, 3.3 and 3.4), and of a value: visible
# ASCII, space and tab, nothing above.
cdef unsigned char IN_TOKEN[256]
cdef unsigned char IN_TARGET[256]
cdef unsigned char IN_VALUE[256]


cdef int fill_tables() except -1:
    cdef int code
    letters = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    for code in range(256):
        IN_TOKEN[code] = code in letters or code in b"!#$%&'*+-.^_`|~"
        IN_TARGET[code] = code in letters or code in b"-._~%!$&'()*+,;=:@/?"
        IN_VALUE[code] = code == TAB or SPACE <= code <= 126
    return 0


fill_tables()


cdef inline bint is_crlf(const unsigned char* p, Py_ssize_t i, Py_ssize_t end) noexcept:
    return end - i >= 2 and p[i] == CR and p[i + 1] == LF


cdef bint is_keep_alive(const unsigned char* value, Py_ssize_t size) noexcept:
    cdef const unsigned char* word = b"keep-alive"
    cdef Py_ssize_t i
    if size != 10:
        return False
    for i in range(10):
        if value[i] != word[i] and not (65 <= value[i] <= 90 and value[i] + 32 == word[i]):
            return False
    return True


cdef long long number(const unsigned char* digits, Py_ssize_t size) noexcept:
    """The value of at most MOST_DIGITS digits without a leading zero; else -1."""
    cdef long long value = 0
    cdef Py_ssize_t i
    if size < 1 or size > MOST_DIGITS or (digits[0] == ZERO and size > 1):
        return -1
    for i in range(size):
        if digits[i] < ZERO or digits[i] > NINE:
            return -1
        value = value * 10 + (digits[i] - ZERO)
    return value


cdef inline bytes cut(const unsigned char* p, Py_ssize_t start, Py_ssize_t stop):
    return PyBytes_FromStringAndSize(<const char*>p + start, stop - start)


cdef struct Line:
    Py_ssize_t name_end
    Py_ssize_t value
    Py_ssize_t value_end
    Py_ssize_t next


cdef bint find_line(
    const unsigned char* p, Py_ssize_t i, Py_ssize_t end, Line* line
) noexcept:
    """Find the parts of the header line at `i`; false when it is not plain or not whole."""
    cdef Py_ssize_t start = i
    while i < end and IN_TOKEN[p[i]]:
        i += 1
    if i == start or i >= end or p[i] != COLON:
        return False
    line.name_end = i
    i += 1
    while i < end and p[i] == SPACE:
        i += 1
    line.value = i
    while i < end and IN_VALUE[p[i]]:
        i += 1
    line.value_end = i
    if not is_crlf(p, i, end) or i == line.value:
        return False
    if p[line.value] == TAB or p[i - 1] == SPACE or p[i - 1] == TAB:
        return False
    line.next = i + 2
    return True


cdef class _Names:
    """Names of headers that were seen last, as sent, and what is known of them."""

    cdef object describe
    cdef list names
    cdef list lowers
    cdef int kinds[SLOTS]

    def __init__(self, describe):
        self.describe = describe
        self.names = [b""] * SLOTS
        self.lowers = [b""] * SLOTS

    cdef int look_up(self, const unsigned char* name, Py_ssize_t size) except -1:
        """The slot of a name of at least one byte."""
        cdef unsigned int mixed = name[0] ^ (name[size - 1] << 1) ^ (name[size >> 1] << 2)
        cdef int slot = (mixed ^ <unsigned int>(size << 3)) & (SLOTS - 1)
        cdef bytes known = <bytes>self.names[slot]
        cdef int kind
        if PyBytes_GET_SIZE(known) != size or memcmp(PyBytes_AS_STRING(known), name, size) != 0:
            known = cut(name, 0, size)
            lower, kind = self.describe(known)
            self.names[slot] = known
            self.lowers[slot] = lower
            self.kinds[slot] = kind
        return slot


cdef class RequestSplitter:
    """Splits plain requests."""

    cdef _Names names
    cdef dict methods
    cdef Py_ssize_t fields

    def __init__(self, describe, methods, int fields):
        if not 0 <= fields <= MOST_FIELDS:
            raise ValueError("too many fields")
        self.names = _Names(describe)
        self.methods = {method.encode("ascii"): method for method in methods}
        self.fields = fields

    def split(self, bytes data not None):
        cdef const unsigned char* p = <const unsigned char*>PyBytes_AS_STRING(data)
        cdef Py_ssize_t end = PyBytes_GET_SIZE(data), i = 0, path, query = -1, target_end
        cdef long long length = -1
        cdef int slot, kind
        cdef bint kept = False
        cdef Line line
        cdef unsigned int alone = 0
        cdef list headers = []
        cdef list fields = [None] * self.fields
        cdef object method
        while i < end and IN_TOKEN[p[i]]:
            i += 1
        if i >= end or p[i] != SPACE or i > MOST_METHOD:
            return None
        method = self.methods.get(cut(p, 0, i))
        if method is None:
            return None
        i += 1
        path = i
        if i >= end or p[i] != SLASH:
            return None
        while i < end and IN_TARGET[p[i]]:
            if p[i] == QUESTION and query < 0:
                query = i
            i += 1
        target_end = i
        if end - i < 11 or memcmp(p + i, b" HTTP/1.1\r\n", 11) != 0:
            return None
        i += 11
        while not is_crlf(p, i, end):
            if not find_line(p, i, end, &line):
                return None
            slot = self.names.look_up(p + i, line.name_end - i)
            kind = self.names.kinds[slot]
            if ALONE <= kind < ALONE + MOST_ALONE:
                if alone >> (kind - ALONE) & 1:
                    return None
                alone |= <unsigned int>1 << (kind - ALONE)
                kind = PASS
            if kind == PASS:
                headers.append((
                    <bytes>self.names.lowers[slot],
                    <bytes>self.names.names[slot],
                    cut(p, line.value, line.value_end),
                ))
            elif FIELD <= kind < FIELD + self.fields:
                if fields[kind - FIELD] is not None:
                    return None
                fields[kind - FIELD] = cut(p, line.value, line.value_end)
            elif kind == LENGTH:
                if length >= 0:
                    return None
                length = number(p + line.value, line.value_end - line.value)
                if length < 0:
                    return None
            elif kind == CONNECTION:
                if kept or not is_keep_alive(p + line.value, line.value_end - line.value):
                    return None
                kept = True
            else:
                return None
            i = line.next
        i += 2
        if i > MOST_HEAD or end - i != (length if length > 0 else 0):
            return None
        return (
            method,
            cut(p, path, target_end if query < 0 else query),
            b"" if query < 0 else cut(p, query + 1, target_end),
            headers,
            length,
            fields,
            cut(p, i, end),
        )


cdef class AnswerSplitter:
    """Splits plain answers."""

    cdef _Names names

    def __init__(self, describe):
        self.names = _Names(describe)

    def split(self, bytes data not None):
        cdef const unsigned char* p = <const unsigned char*>PyBytes_AS_STRING(data)
        cdef Py_ssize_t end = PyBytes_GET_SIZE(data), i = 13
        cdef long long status, length = -1
        cdef int slot, kind
        cdef bint kept = False
        cdef Line line
        cdef list lines = []
        cdef list locating = None
        cdef bytes length_text = None
        if end < 17 or memcmp(p, b"HTTP/1.1 ", 9) != 0 or p[12] != SPACE:
            return None
        status = number(p + 9, 3)
        if status < 200 or status > 599 or status == 204 or status == 304:
            return None
        while i < end and IN_VALUE[p[i]]:
            i += 1
        if not is_crlf(p, i, end):
            return None
        i += 2
        while not is_crlf(p, i, end):
            if not find_line(p, i, end, &line):
                return None
            slot = self.names.look_up(p + i, line.name_end - i)
            kind = self.names.kinds[slot]
            if kind == PASS:
                lines.append(<bytes>self.names.names[slot])
                lines.append(BETWEEN)
                lines.append(cut(p, line.value, line.value_end))
                lines.append(AFTER)
            elif kind == LENGTH:
                if length >= 0:
                    return None
                length = number(p + line.value, line.value_end - line.value)
                if length < 0:
                    return None
                length_text = cut(p, line.value, line.value_end)
            elif kind == CONNECTION:
                if kept or not is_keep_alive(p + line.value, line.value_end - line.value):
                    return None
                kept = True
            elif kind == URLS:
                if locating is None:
                    locating = []
                locating.append((
                    <bytes>self.names.names[slot], cut(p, line.value, line.value_end)
                ))
            elif kind != DROP:
                return None
            i = line.next
        i += 2
        if i > MOST_HEAD or length < 0 or end - i != length:
            return None
        return status, lines, length_text, locating, cut(p, i, end)
