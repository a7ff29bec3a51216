/* A good segmenter that is fitted and whose configurations have features and segments of their own (DEFECT 0), and its mutants, each with
 * one defect: compile with -DDEFECT=n. The list of them, with the test that has to find each, is in mutants.rs. */
#include "segmenter.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define IS(n) (DEFECT == (n))
#if IS(95)
#define STATE_VERSION ""
#else
#define STATE_VERSION ",\"state_version\":1"
#endif

/* An account's level is its amount in parts of twice the mean of the population; the first feature of the configuration, from a half on,
 * takes it to the lowest one. */
SEG_DESCRIPTOR(
  "{\"id\":\"test.levels\",\"version\":\"1.0.0\",\"abi\":\"1.0\",\"title\":\"Levels\",\"output\":\"single\","
  "\"requires\":[{\"feature\":\"test.amount\",\"type\":\"int64\",\"on_missing\":\"skip_row\"}],"
  "\"dynamic_features\":true,\"feature_scope\":[\"test.*\"],\"dynamic_segments\":{\"max\":8},"
  "\"config_schema\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
  "\"feature\":{\"type\":\"string\",\"enum\":[\"test.share\",\"test.ratio\"],\"default\":\"test.share\"},"
  "\"levels\":{\"type\":\"integer\",\"minimum\":2,\"maximum\":8,\"default\":3}}},"
  "\"limits\":{\"memory_mb\":32,\"ms_per_1k_rows\":1,\"threads\":1},"
  "\"examples\":[{\"config\":{},\"fit\":[[10,null],[20,null],[30,0.5]],\"rows\":[[1,null],[20,0.1],[100,null],[100,0.9]],"
  "\"expect\":[\"level_0\",\"level_1\",\"level_2\",\"level_0\"]},"
  "{\"config\":{\"feature\":\"test.ratio\",\"levels\":2},\"fit\":[[10,null],[30,null]],\"rows\":[[1,null],[39,null]],"
  "\"expect\":[\"level_0\",\"level_1\"]}]" STATE_VERSION "}");

#define MARK 0x31766c65766c6c31ull
struct state { uint64_t mark, length; double mean; uint64_t sum; };

struct seg_instance {
  long levels; char feature[64];
  struct state learned; int is_fitted;
  double total; uint64_t rows; int passes;
  struct ArrowSchema column, *columns[1];
};

#if IS(89)
static double shared_mean;
#endif

static uint64_t sum_of(const struct state *s) {
  uint64_t bits;
  memcpy(&bits, &s->mean, sizeof bits);
  return bits * 0x9e3779b97f4a7c15ull ^ s->length;
}

static seg_status create(const seg_host *host, const char *config, size_t len, seg_instance **out, seg_error *err) {
  (void)host, (void)len, (void)err;
  seg_instance *self = calloc(1, sizeof *self);
  const char *levels = strstr(config, "\"levels\":"), *feature = strstr(config, "\"feature\":\"");
  if (self == NULL || levels == NULL || feature == NULL) return SEG_E_RESOURCE;
  self->levels = strtol(levels + 9, NULL, 10);
  sscanf(feature + 11, "%63[^\"]", self->feature);
  *out = self;
  return SEG_OK;
}

static seg_status put(const seg_sink *sink, const char *text) { return sink->write(sink->ctx, text, strlen(text)); }

static seg_status requirements(seg_instance *self, const seg_sink *sink, seg_error *err) {
  (void)err;
  char text[512];
  const char *feature = self->feature;
#if IS(71)
  feature = "other.share";
#endif
#if IS(72)
  static int calls;
  if (++calls % 2 == 0) feature = "test.other";
#endif
#if IS(79)
  if (self->is_fitted) feature = "test.other";
#endif
  const char *one = "{\"feature\":\"%s\",\"type\":\"float64\",\"on_missing\":\"null\"}";
  snprintf(text, sizeof text, one, feature);
  seg_status done = put(sink, "[");
  if (done == SEG_OK) done = put(sink, text);
#if IS(73)
  if (done == SEG_OK) done = put(sink, ",");
  if (done == SEG_OK) done = put(sink, text);
#endif
  return done == SEG_OK ? put(sink, "]") : done;
}

static seg_status segments(seg_instance *self, const seg_sink *sink, seg_error *err) {
  (void)err;
  long levels = self->levels;
#if IS(74)
  levels = 9;
#endif
#if IS(76)
  static int calls;
  levels -= ++calls > 1;
#endif
#if IS(75)
  return put(sink, "level_0, level_1");
#endif
  seg_status done = put(sink, "[");
  for (long k = 0; k < levels && done == SEG_OK; k++) {
    char text[64];
    snprintf(text, sizeof text, "%s{\"key\":\"level_%ld\"}", k == 0 ? "" : ",", k);
    done = put(sink, text);
  }
  return done == SEG_OK ? put(sink, "]") : done;
}

static void release_column(struct ArrowSchema *s) { s->release = NULL; }

static seg_status bind_columns(seg_instance *self, const struct ArrowSchema *in, struct ArrowSchema *out, seg_error *err) {
  (void)err;
  if (in->n_children != 2) return SEG_E_INVALID_INPUT;
  self->column = (struct ArrowSchema){.format = "S", .name = "segment", .release = release_column};
  self->columns[0] = &self->column;
  *out = (struct ArrowSchema){.format = "+s", .name = "", .n_children = 1, .children = self->columns, .release = release_column};
  return SEG_OK;
}

static int is_valid(const struct ArrowArray *a, int64_t row) {
  const uint8_t *bits = a->buffers[0];
  int64_t at = row + a->offset;
  return bits == NULL || (bits[at / 8] >> (at % 8) & 1);
}

static double amount_of(const struct ArrowArray *in, int64_t row) {
  const struct ArrowArray *a = in->children[0];
  return (double)((const int64_t *)a->buffers[1])[row + a->offset];
}

struct result { struct ArrowArray column, *columns[1]; const void *root_buffers[1], *column_buffers[2]; uint16_t values[]; };
static void release_values(struct ArrowArray *a) { a->release = NULL; }
static void release_result(struct ArrowArray *a) { free(a->private_data); a->release = NULL; }

static seg_status segment(seg_instance *self, const seg_call *call, struct ArrowArray *in, struct ArrowArray *out, seg_error *err) {
  (void)err;
#if !IS(86)
  if (!self->is_fitted) return SEG_E_NOT_FITTED;
#endif
  double mean = self->learned.mean;
#if IS(91)
  static volatile char page[4096];
  page[self->learned.length] = 1; /* the length of a state is an index here */
  if (page[0] == 7) return SEG_E_INTERNAL;
#endif
#if IS(89)
  mean = shared_mean;
#endif
  int64_t rows = in->length;
  const struct ArrowArray *shares = in->children[1];
  struct result *r = calloc(1, sizeof *r + ((size_t)rows + 1) * sizeof r->values[0]);
  if (r == NULL) return SEG_E_RESOURCE;
  for (int64_t i = 0; i < rows; i++) {
    if ((i & 1023) == 0 && SEG_CANCELLED(call)) { free(r); return SEG_E_CANCELLED; }
#if IS(98)
    if (amount_of(in, i) == 666) abort();
#endif
    double part = mean > 0 ? amount_of(in, i) / (2 * mean) * (double)self->levels : 0;
    long level = part < 0 ? 0 : part >= (double)self->levels ? self->levels - 1 : (long)part;
    double share = ((const double *)shares->buffers[1])[i + shares->offset];
    if (is_valid(shares, i) && share >= 0.5) level = 0;
#if IS(77)
    if (level == self->levels - 1) level++;
#endif
    r->values[i] = (uint16_t)level;
  }
  r->column_buffers[1] = r->values;
  r->column = (struct ArrowArray){.length = rows, .n_buffers = 2, .buffers = r->column_buffers, .release = release_values};
  r->columns[0] = &r->column;
  *out = (struct ArrowArray){.length = rows, .n_buffers = 1, .buffers = r->root_buffers, .n_children = 1,
                             .children = r->columns, .release = release_result, .private_data = r};
  return SEG_OK;
}

static seg_status fit_begin(seg_instance *self, const seg_call *call, uint64_t rows, seg_error *err) {
  (void)call, (void)rows, (void)err;
  self->total = 0, self->rows = 0;
  return SEG_OK;
}

static seg_status fit_batch(seg_instance *self, const seg_call *call, struct ArrowArray *in, seg_error *err) {
  (void)call, (void)err;
#if IS(93)
  if (in->length > 100) abort();
#endif
#if IS(92)
  self->rows = 0;
#endif
#if IS(78)
  if (in->length > 0) ((int64_t *)in->children[0]->buffers[1])[in->children[0]->offset] ^= 1;
#endif
  for (int64_t i = 0; i < in->length; i++) {
#if IS(90)
    self->total += (double)((const int64_t *)in->children[0]->buffers[1])[i]; /* forgets the offset */
#else
    self->total += amount_of(in, i);
#endif
    self->rows++;
  }
  return SEG_OK;
}

static seg_status fit_end(seg_instance *self, const seg_call *call, uint32_t *again, seg_error *err) {
  (void)call, (void)err;
#if IS(87)
  volatile uint64_t rows = self->rows;
  rows = 100 / rows;
#else
  if (self->rows == 0) return SEG_E_INVALID_INPUT;
#endif
#if IS(88)
  *again = 1;
  return SEG_OK;
#endif
  *again = self->passes++ == 0; /* a second pass, to the same end */
  self->learned = (struct state){.mark = MARK, .length = sizeof self->learned, .mean = self->total / (double)self->rows};
  if (*again) self->total = 0, self->rows = 0;
#if IS(81)
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  self->learned.mean += (double)now.tv_nsec * 1e-9;
#endif
#if IS(97)
  uint64_t random;
  if (getentropy(&random, sizeof random) == 0) self->learned.mean += (double)(random % 1000);
#endif
  self->learned.sum = sum_of(&self->learned);
  self->is_fitted = 1;
#if IS(89)
  shared_mean = self->learned.mean;
#endif
  return SEG_OK;
}

static seg_status state_save(seg_instance *self, const seg_sink *sink, seg_error *err) {
  (void)err;
#if IS(94)
  return SEG_OK;
#endif
  if (!self->is_fitted) return SEG_E_NOT_FITTED;
#if IS(80)
  return SEG_E_NOT_FITTED;
#endif
  return sink->write(sink->ctx, &self->learned, sizeof self->learned);
}

static seg_status state_load(seg_instance *self, const void *bytes, size_t len, seg_error *err) {
  (void)err;
  struct state state;
#if IS(84)
  if (len < sizeof state) abort();
#endif
#if IS(83)
  memset(&state, 0, sizeof state);
  memcpy(&state, bytes, len < sizeof state ? len : sizeof state);
#else
  if (len != sizeof state) return SEG_E_STATE;
  memcpy(&state, bytes, sizeof state);
  if (state.mark != MARK) return SEG_E_STATE;
#if IS(85)
  volatile char *copy = malloc(64);
  for (uint64_t k = 0; k < state.length; k += 4096) copy[k] = 1; /* trusts the length */
#endif
#if IS(91)
  self->learned = state, self->is_fitted = 1;
  return SEG_OK; /* believes everything behind the mark */
#endif
  if (state.length != sizeof state || state.sum != sum_of(&state) || !isfinite(state.mean)) return SEG_E_STATE;
#endif
#if IS(82)
  state.mean += 1;
  state.sum = sum_of(&state);
#endif
#if IS(99)
  static struct state known[9]; /* by what is configured, whatever was learned */
  if (known[self->levels].mark != MARK) known[self->levels] = state;
  state = known[self->levels];
#endif
  self->learned = state, self->is_fitted = 1;
  return SEG_OK;
}

static void destroy(seg_instance *self) { free(self); }

static const seg_plugin table = {
  .struct_size = sizeof(seg_plugin), .abi_major = SEG_ABI_MAJOR, .abi_minor = SEG_ABI_MINOR,
  .caps = SEG_CAP_DETERMINISTIC | SEG_CAP_ROW_INDEPENDENT | SEG_CAP_FIT,
  .descriptor_json = seg_descriptor, .descriptor_len = sizeof seg_descriptor - 1,
  .create = create, .bind = bind_columns, .segment = segment, .destroy = destroy,
  .requirements = IS(96) ? NULL : requirements, .segments = segments,
  .fit_begin = fit_begin, .fit_batch = fit_batch, .fit_end = fit_end, .state_save = state_save, .state_load = state_load,
};

SEG_EXPORT const seg_plugin *seg_plugin_entry_v1(uint16_t host_abi_minor) { (void)host_abi_minor; return &table; }
