/* A good segmenter (DEFECT 0) and its mutants, each with one defect: compile with -DDEFECT=n. The list of them, with the test that has to
 * find each, is in mutants.rs. */
#include "segmenter.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define IS(n) (DEFECT == (n))
#if IS(23)
#define EXPECTED "low"
#else
#define EXPECTED "high"
#endif
#if IS(4)
#define TITLE ""
#else
#define TITLE "\"title\":\"Good\","
#endif
#if IS(5)
#define AMOUNT_TYPE "decimal"
#else
#define AMOUNT_TYPE "int64"
#endif
#if IS(6)
#define MIDDLE "low"
#else
#define MIDDLE "middle"
#endif
#if IS(7)
#define ABI "2.0"
#else
#define ABI "1.0"
#endif
#if IS(8)
#define OUTPUT "multi"
#else
#define OUTPUT "single"
#endif
#if IS(3)
#define END ""
#else
#define END "}"
#endif

#if IS(121)
#define CONFIGURED "{\"config\":{},\"rows\":[[500,0.1,\"DE\"]],\"expect\":[\"high\"]}"
#else
#define CONFIGURED "{\"config\":{\"limit\":1000000},\"rows\":[[500,0.1,\"DE\"]],\"expect\":[\"low\"]}"
#endif

#define TEXT "{\"id\":\"test.good\",\"version\":\"1.0.0\",\"abi\":\"" ABI "\"," TITLE "\"output\":\"" OUTPUT "\"," \
  "\"requires\":[{\"feature\":\"test.amount\",\"type\":\"" AMOUNT_TYPE "\",\"on_missing\":\"skip_row\"}," \
  "{\"feature\":\"test.share\",\"type\":\"float64\",\"on_missing\":\"null\"}," \
  "{\"feature\":\"test.kind\",\"type\":\"dictionary<int32, utf8>\",\"on_missing\":\"null\"}]," \
  "\"segments\":[{\"key\":\"low\"},{\"key\":\"" MIDDLE "\"},{\"key\":\"high\"},{\"key\":\"soft\"}]," \
  "\"config_schema\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{\"limit\":{\"type\":\"integer\",\"default\":300}}}," \
  "\"limits\":{\"memory_mb\":32,\"ms_per_1k_rows\":1,\"threads\":1}," \
  "\"examples\":[{\"config\":{},\"rows\":[[500,null,null],[1,0.9,null],[1,null,null],[1,null,\"software\"]],\"expect\":[\"" EXPECTED "\",\"" MIDDLE "\",\"low\",\"soft\"]}," \
  CONFIGURED "]" END

#if IS(2)
static const char seg_descriptor[] = TEXT;
#else
SEG_DESCRIPTOR(TEXT);
#endif

enum { LOW, MIDDLE_, HIGH, SOFT };

struct seg_instance { long limit; void *part; struct ArrowSchema column, *columns[1]; };

#if IS(38) || IS(121) || IS(123) || IS(125) || IS(127)
static long shared_limit;
#endif
#if IS(21)
__attribute__((constructor)) static void start(void) { volatile int *volatile nowhere = NULL; *nowhere = 1; }
#endif
#if IS(137)
__attribute__((constructor)) static void start(void) { sleep(2); }
#endif
#if IS(22)
__attribute__((constructor)) static void start(void) { if (open("/etc/hostname", O_RDONLY) < 0) abort(); }
#endif
#if IS(9)
extern int nowhere_to_be_found(void);
#endif

static seg_status create(const seg_host *host, const char *config, size_t len, seg_instance **out, seg_error *err) {
  (void)host, (void)len, (void)err;
  seg_instance *self = calloc(1, sizeof *self);
  const char *at = strstr(config, "\"limit\":");
  if (self == NULL || at == NULL) return SEG_E_RESOURCE;
  self->limit = strtol(at + 8, NULL, 10);
#if IS(107)
  self->part = malloc(64 << 10);
  if (self->part == NULL) return SEG_E_RESOURCE;
  memset(self->part, 1, 64 << 10);
#endif
#if IS(38) || IS(121) || IS(125) || IS(127)
  shared_limit = self->limit;
#endif
#if IS(128)
  static int others;
  if (self->limit == 0 && others) return SEG_E_RESOURCE;
  others |= self->limit == 300;
#endif
#if IS(123)
  if (shared_limit == 0) shared_limit = self->limit;
#endif
  *out = self;
  return SEG_OK;
}

static void release_column(struct ArrowSchema *s) { s->release = NULL; }
static void release_schema(struct ArrowSchema *s) { s->release = NULL; }

static seg_status bind_columns(seg_instance *self, const struct ArrowSchema *in, struct ArrowSchema *out, seg_error *err) {
  (void)err;
  if (in->n_children != 3) return SEG_E_INVALID_INPUT;
#if IS(59)
  self->column = (struct ArrowSchema){.format = "I", .name = "segment", .release = release_column};
#else
  self->column = (struct ArrowSchema){.format = "S", .name = "segment", .release = release_column};
#endif
  self->columns[0] = &self->column;
  *out = (struct ArrowSchema){.format = "+s", .name = "", .n_children = 1, .children = self->columns, .release = release_schema};
  return SEG_OK;
}

static int is_valid(const struct ArrowArray *a, int64_t row) {
  const uint8_t *bits = a->buffers[0];
#if IS(27)
  int64_t at = row + a->offset;
  return bits[at / 8] >> (at % 8) & 1; /* the bitmap may be NULL */
#elif IS(55)
  return bits == NULL || (bits[row / 8] >> (row % 8) & 1); /* forgets the offset */
#else
  int64_t at = row + a->offset;
  return bits == NULL || (bits[at / 8] >> (at % 8) & 1);
#endif
}

/* The text of a dictionary column; its length, or -1 where it is unknown. */
static int32_t text(const struct ArrowArray *a, int64_t row, const char **at) {
  if (!is_valid(a, row)) return -1;
  int32_t key = ((const int32_t *)a->buffers[1])[row + a->offset];
  const struct ArrowArray *d = a->dictionary;
  const int32_t *ends = (const int32_t *)d->buffers[1] + d->offset;
#if IS(114)
  static int32_t software = -1; /* of the first batch */
  for (int32_t k = 0; software < 0 && k < d->length; k++)
    if (ends[k + 1] - ends[k] == 8 && memcmp((const char *)d->buffers[2] + ends[k], "software", 8) == 0) software = k;
  *at = "software";
  return key == software ? 8 : 0;
#endif
  *at = (const char *)d->buffers[2] + ends[key];
  return ends[key + 1] - ends[key];
}

static uint16_t judge(seg_instance *self, const struct ArrowArray *in, int64_t row) {
  const struct ArrowArray *amounts = in->children[0], *shares = in->children[1], *kinds = in->children[2];
#if IS(56)
  int64_t amount = ((const int64_t *)amounts->buffers[1])[row]; /* forgets the offset */
#else
  int64_t amount = ((const int64_t *)amounts->buffers[1])[row + amounts->offset];
#endif
  double share = ((const double *)shares->buffers[1])[row + shares->offset];
  const char *kind;
  int32_t length = text(kinds, row, &kind);
  long limit = self->limit;
#if IS(38) || IS(121) || IS(123) || IS(127)
  limit = shared_limit;
#endif
#if IS(29)
  int64_t more;
  if (__builtin_add_overflow(amount, 1, &more)) abort();
#endif
#if IS(30)
  volatile char copy[64];
  for (int32_t k = 0; k < length; k++) copy[k] = kind[k];
  if (length > 100000000 && copy[0] == 'x') return LOW;
#endif
#if IS(36)
  if (row % 7 == 3) return LOW;
#endif
#if IS(51)
  if (amount == 5) return 9;
#endif
#if IS(67)
  while (amount == 5) pause();
#endif
#if IS(68)
  if (amount == 5) abort();
#endif
#if IS(135)
  if (amount < -1 && amount > -100000000) abort();
#endif
#if IS(136)
  if (share > 1 && share < 1000) return 99;
#endif
#if IS(116)
  /* Another segment two and three days later, whatever the day: what is 401 days and some hours is one of both, modulo 7. */
  if (amount < limit) return (uint16_t)(time(NULL) / 86400 % 7 / 2);
#endif
#if IS(115)
  return amount >= limit ? HIGH : is_valid(shares, row) && share >= 0.5 ? MIDDLE_ : length >= 0 && strcmp(kind, "software") == 0 ? SOFT : LOW;
#endif
#if IS(113)
  if (1000000 / (int)limit < 0) return LOW;
#endif
  if (amount >= limit) return HIGH;
  if ((IS(132) || is_valid(shares, row)) && !isnan(share) && share >= 0.5) return MIDDLE_;
  if (length == 8 && memcmp(kind, "software", 8) == 0) return SOFT;
  return LOW;
}

struct result {
  struct ArrowArray column, *columns[1];
  const void *root_buffers[1], *column_buffers[2];
  uint8_t valid[8];
  uint16_t values[];
};
static void release_values(struct ArrowArray *a) { a->release = NULL; }
static void release_result(struct ArrowArray *a) {
#if !IS(45)
  free(a->private_data);
#endif
  a->release = NULL;
}

#if IS(47) || IS(60) || IS(119)
static void *forever(void *nothing) { for (;;) pause(); return nothing; }
#endif

static void spend(long ns) {
  struct timespec begun, now;
  clock_gettime(CLOCK_MONOTONIC, &begun);
  do clock_gettime(CLOCK_MONOTONIC, &now);
  while ((now.tv_sec - begun.tv_sec) * 1000000000L + now.tv_nsec - begun.tv_nsec < ns);
}

static seg_status segment(seg_instance *self, const seg_call *call, struct ArrowArray *in, struct ArrowArray *out, seg_error *err) {
  (void)err, (void)spend, (void)call;
  int64_t rows = in->length;
#if IS(117)
  if (call->as_of_unix_us % 86400000000LL != 0) abort();
#endif
#if IS(130)
  (void)eventfd(0, 0);
#endif
#if IS(129)
  for (int64_t k = 0; k < rows; k++)
    if (((const int64_t *)in->children[0]->buffers[1])[k + in->children[0]->offset] == 5) return SEG_E_INVALID_INPUT;
#endif
#if IS(24)
  if (rows == 0) return SEG_E_INVALID_INPUT;
#endif
#if IS(61)
  if (rows == 0) { static volatile int zero; return (seg_status)(100 / zero); }
#endif
#if IS(28)
  for (int64_t k = 0; k < rows; k++)
    if (isnan(((const double *)in->children[1]->buffers[1])[k + in->children[1]->offset])) return SEG_E_INVALID_INPUT;
#endif
#if IS(62)
  for (int64_t k = 0; k < rows; k++) if (!is_valid(in->children[1], k)) return SEG_E_INVALID_INPUT;
#endif
#if IS(54)
  if (rows > 0) ((int64_t *)in->children[0]->buffers[1])[in->children[0]->offset] += 1;
#endif
#if IS(46) || IS(105) || IS(133)
  size_t forgets = IS(46) ? 32 << 10 : IS(105) ? 700 : 100;
  void *volatile forgotten = malloc(forgets);
  if (forgotten == NULL) return SEG_E_RESOURCE;
  memset(forgotten, 1, forgets);
#endif
#if IS(108)
  static int64_t *seen;
  static size_t n_seen, room;
  for (int64_t k = 0; k < rows; k++) {
    if (n_seen == room) {
      room = room ? 2 * room : 1024;
      seen = realloc(seen, room * sizeof *seen);
      if (seen == NULL) return SEG_E_RESOURCE;
    }
    seen[n_seen++] = k;
  }
#endif
#if IS(110)
  const struct ArrowArray *shares = in->children[1];
  for (int64_t k = 0; k < rows; k++) if (!is_valid(shares, k)) ((double *)shares->buffers[1])[k + shares->offset] += 1;
#endif
#if IS(47)
  pthread_t thread;
  if (pthread_create(&thread, NULL, forever, NULL) != 0) return SEG_E_RESOURCE;
#endif
#if IS(50)
  static char *most;
  if (most == NULL) most = malloc(48 << 20);
  if (most == NULL) return SEG_E_RESOURCE;
  memset(most, 1, 48 << 20);
#endif
#if IS(26)
  uint16_t fixed[4096];
  for (int64_t k = 0; k < rows && k < 4096; k++) fixed[k] = judge(self, in, k);
  int64_t answered = rows < 4096 ? rows : 4096;
#endif
  struct result *r = calloc(1, sizeof *r + ((size_t)rows + 1) * sizeof r->values[0]);
  if (r == NULL) return SEG_E_RESOURCE;
#if IS(37)
  double sum = 0;
  for (int64_t k = 0; k < rows; k++) sum += (double)((const int64_t *)in->children[0]->buffers[1])[k + in->children[0]->offset];
#endif
  for (int64_t i = 0; i < rows; i++) {
#if !IS(48)
    if ((i & 1023) == 0 && SEG_CANCELLED(call)) { free(r); return SEG_E_CANCELLED; }
#endif
    r->values[i] = judge(self, in, i);
#if IS(124)
    /* Remembers its answers by the row, whatever the configuration. */
    enum { SLOTS = 1 << 18 };
    static struct { int64_t amount; double share; uint16_t answer; } memo[SLOTS];
    int64_t amount = ((const int64_t *)in->children[0]->buffers[1])[i + in->children[0]->offset];
    double share = ((const double *)in->children[1]->buffers[1])[i + in->children[1]->offset];
    const char *kind;
    size_t slot = ((uint64_t)amount * 0x9e3779b97f4a7c15ULL >> 20) % SLOTS;
    if (text(in->children[2], i, &kind) < 0 && is_valid(in->children[1], i) && amount != 0) {
      if (memo[slot].amount == amount && memo[slot].share == share) r->values[i] = memo[slot].answer;
      memo[slot].amount = amount, memo[slot].share = share, memo[slot].answer = r->values[i];
    }
#endif
#if IS(126)
    static int64_t first_moment;
    if (first_moment == 0) first_moment = call->as_of_unix_us;
    if (first_moment / 1000000 % 2 == 0 && r->values[i] == LOW) r->values[i] = MIDDLE_;
#endif
#if IS(48) || IS(49)
    if (i % 100 == 0) spend(IS(48) ? 250000 : 400000);
#endif
#if IS(31)
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_nsec / 1000 % 2) r->values[i] = LOW;
#endif
#if IS(32)
    uint8_t random = 0;
    if (i % 50 == 0 && getentropy(&random, 1) == 0 && random > 127) r->values[i] = HIGH;
#endif
#if IS(33)
    static int calls;
    if (i == 0 && ++calls > 1) r->values[i] = (uint16_t)((r->values[i] + 1) % 4);
#endif
#if IS(34)
    if (((uintptr_t)&errno >> 12 ^ (uintptr_t)&errno >> 17 ^ (uintptr_t)&errno >> 22) % 64 != (uintptr_t)i % 64) continue;
    r->values[i] = (uint16_t)((r->values[i] + 1) % 4);
#endif
#if IS(35)
    if (r->values[0] == HIGH && r->values[i] == LOW && i > 0) r->values[i] = MIDDLE_;
    if (r->values[0] != HIGH && r->values[i] == LOW && i > 0) r->values[i] = SOFT;
#endif
#if IS(111)
    if (rows > 5000) r->values[i] = LOW;
#endif
#if IS(122)
    if (rows > 12000) r->values[i] = LOW;
#endif
#if IS(131)
    if (i == rows - 1 && rows > 100 && ((const int64_t *)in->children[0]->buffers[1])[rows + in->children[0]->offset] != 0) r->values[i] = SOFT;
#endif
#if IS(37)
    if (rows > 100 && (double)((const int64_t *)in->children[0]->buffers[1])[i + in->children[0]->offset] * (double)rows < sum) r->values[i] = LOW;
#endif
  }
#if IS(26)
  memcpy(r->values, fixed, (size_t)answered * sizeof fixed[0]);
  rows = answered;
#endif
#if IS(25)
  if (rows == 1) rows = 0;
#endif
#if IS(52)
  rows += rows > 100;
#endif
#if IS(57)
  return SEG_OK;
#endif
  r->column_buffers[1] = r->values;
  r->column = (struct ArrowArray){.length = rows, .n_buffers = 2, .buffers = r->column_buffers, .release = release_values};
#if IS(53)
  r->valid[0] = 0xfe;
  if (rows > 0 && rows < 64) r->column.null_count = 1, r->column_buffers[0] = r->valid;
#endif
#if IS(63)
  r->column_buffers[1] = NULL;
#endif
  r->columns[0] = &r->column;
  *out = (struct ArrowArray){.length = rows, .n_buffers = 1, .buffers = r->root_buffers, .n_children = 1,
                             .children = r->columns, .release = release_result, .private_data = r};
#if IS(64)
  free(r);
#endif
  return SEG_OK;
}

/* Reasons: the amount first, then the share. Everything in one block. */
struct reasons {
  struct ArrowArray list, item, fields[3], *root_children[1], *list_children[1], *item_children[3];
  const void *none[1], *list_buffers[2], *feature_buffers[2], *contribution_buffers[2], *text_buffers[3];
};
static void release_reasons(struct ArrowArray *a) { free(a->private_data); a->release = NULL; }

static seg_status explain(seg_instance *self, const seg_call *call, uint32_t top_k, struct ArrowArray *in, struct ArrowArray *out, seg_error *err) {
  (void)self, (void)call, (void)err;
  int64_t rows = in->length;
  uint32_t per_row = top_k < 2 ? top_k : 2;
#if IS(39)
  per_row = 2;
#endif
#if IS(43)
  per_row = 0;
#endif
#if IS(44)
  if (rows > 1) abort();
#endif
#if IS(112)
  const int64_t *amounts = (const int64_t *)in->children[0]->buffers[1]; /* forgets the offset */
#else
  const int64_t *amounts = (const int64_t *)in->children[0]->buffers[1] + in->children[0]->offset;
#endif
#if IS(102)
  if (rows > 0) ((int64_t *)amounts)[0] += 1;
#endif
#if IS(103)
  static unsigned asked;
  asked++;
#endif
#if IS(104)
  self->limit = 0;
#endif
#if IS(106)
  void *volatile forgotten = malloc(1024);
  if (forgotten == NULL) return SEG_E_RESOURCE;
  memset(forgotten, 1, 1024);
#endif
#if IS(119)
  pthread_t thread;
  if (pthread_create(&thread, NULL, forever, NULL) != 0) return SEG_E_RESOURCE;
#endif
#if IS(109)
  for (int64_t k = 0; k < rows; k++) spend(30000000);
#endif
#if IS(65) || IS(66)
  for (int64_t k = 0; k < rows; k++) if (IS(65) ? amounts[k] == 500 : amounts[k] == INT64_MIN) abort();
#endif
  size_t n = (size_t)rows * per_row;
  struct reasons *r = calloc(1, sizeof *r + ((size_t)rows + 1) * 4 + (n + 1) * (4 + 4 + 4 + 1) + 64);
  if (r == NULL) return SEG_E_RESOURCE;
  int32_t *row_ends = (int32_t *)(r + 1), *text_ends = row_ends + rows + 1;
  float *contributions = (float *)(text_ends + n + 1);
  uint16_t *features = (uint16_t *)(contributions + n + 1);
  char *letters = (char *)(features + n + 1);
  for (size_t k = 0; k < n; k++) {
    int first = per_row == 0 || k % per_row == 0;
    features[k] = (uint16_t)(first ? 0 : 1);
    contributions[k] = first ? 1.0f : -0.5f;
#if IS(40)
    contributions[k] = first ? 0.25f : -0.5f;
#endif
#if IS(41)
    features[k] = 7;
#endif
#if IS(42)
    contributions[k] = NAN;
#endif
    letters[k] = (char)('a' + (amounts[k / per_row] & 7));
#if IS(125)
    letters[k] = (char)('a' + (unsigned long)shared_limit % 23);
#endif
#if IS(118)
    letters[k] = (char)('a' + (amounts[(k / per_row + 1) % (size_t)rows] & 7)); /* of the next row */
#endif
#if IS(120)
    letters[k] = ' ';
#endif
#if IS(101)
    uint8_t random = 0;
    if (getentropy(&random, 1) == 0) contributions[k] = first ? 1.0f + (float)random : -0.5f;
#endif
#if IS(103)
    letters[k] = (char)('a' + asked % 8);
#endif
#if IS(58)
    letters[k] = (char)0xff;
#endif
    text_ends[k + 1] = (int32_t)k + 1;
  }
  for (int64_t row = 0; row < rows; row++) row_ends[row + 1] = (int32_t)((row + 1) * per_row);
  r->list_buffers[1] = row_ends, r->feature_buffers[1] = features, r->contribution_buffers[1] = contributions;
  r->text_buffers[1] = text_ends, r->text_buffers[2] = letters;
  int64_t items = (int64_t)n;
  r->fields[0] = (struct ArrowArray){.length = items, .n_buffers = 2, .buffers = r->feature_buffers, .release = release_values};
  r->fields[1] = (struct ArrowArray){.length = items, .n_buffers = 2, .buffers = r->contribution_buffers, .release = release_values};
  r->fields[2] = (struct ArrowArray){.length = items, .n_buffers = 3, .buffers = r->text_buffers, .release = release_values};
  for (int k = 0; k < 3; k++) r->item_children[k] = &r->fields[k];
  r->item = (struct ArrowArray){.length = items, .n_buffers = 1, .buffers = r->none, .n_children = 3, .children = r->item_children, .release = release_values};
  r->list_children[0] = &r->item;
  r->list = (struct ArrowArray){.length = rows, .n_buffers = 2, .buffers = r->list_buffers, .n_children = 1, .children = r->list_children, .release = release_values};
  r->root_children[0] = &r->list;
  *out = (struct ArrowArray){.length = rows, .n_buffers = 1, .buffers = r->none, .n_children = 1, .children = r->root_children,
                             .release = release_reasons, .private_data = r};
  return SEG_OK;
}

static void destroy(seg_instance *self) { if (!IS(134)) free(self); }

static const char other_descriptor[] = "{}";
static const seg_plugin table = {
#if IS(15)
  .struct_size = 135,
#else
  .struct_size = sizeof(seg_plugin),
#endif
  .abi_major = IS(16) ? 2 : SEG_ABI_MAJOR, .abi_minor = SEG_ABI_MINOR,
  .caps = (IS(127) ? 0 : SEG_CAP_DETERMINISTIC) | SEG_CAP_ROW_INDEPENDENT | SEG_CAP_EXPLAIN | (IS(19) ? 1ull << 50 : 0) | (IS(18) ? SEG_CAP_FIT : 0),
  .descriptor_json = IS(20) ? other_descriptor : seg_descriptor,
  .descriptor_len = IS(20) ? sizeof other_descriptor - 1 : sizeof seg_descriptor - 1,
  .create = create, .bind = bind_columns, .segment = IS(17) ? NULL : segment, .destroy = destroy, .explain = explain,
};

#if IS(1)
#define seg_plugin_entry_v1 seg_plugin_entry
SEG_EXPORT const seg_plugin *seg_plugin_entry(uint16_t host_abi_minor);
#endif
SEG_EXPORT const seg_plugin *seg_plugin_entry_v1(uint16_t host_abi_minor) {
  (void)host_abi_minor;
#if IS(9)
  if (!nowhere_to_be_found()) return NULL;
#endif
#if IS(12)
  void *address;
  __asm__("movabs $table, %0" : "=r"(address));
  if (address == NULL) return NULL;
#endif
#if IS(60)
  pthread_t thread;
  for (int k = 0; k < 1000; k++) if (pthread_create(&thread, NULL, forever, NULL) != 0) abort();
#endif
  return IS(14) ? NULL : &table;
}
