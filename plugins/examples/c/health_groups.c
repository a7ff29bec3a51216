/* A complete Sextant segmenter in plain C: four groups from revenue and the share of seats in use. It becomes a shared object with
 *   cc -O2 -std=c11 -Wall -Wextra -fvisibility=hidden -shared -fPIC
 * where segmenter.h is in the include path. */
#include "segmenter.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

SEG_DESCRIPTOR(
  "{\"id\":\"example.health_groups\",\"version\":\"1.0.0\",\"abi\":\"1.0\",\"title\":{\"en\":\"Health groups\"},"
  "\"license\":\"Apache-2.0\",\"output\":\"single\",\"platforms\":[\"linux_amd64\",\"linux_arm64\"],"
  "\"requires\":[{\"feature\":\"revenue.arr_minor\",\"type\":\"int64\",\"on_missing\":\"skip_row\"},"
  "{\"feature\":\"usage.seat_share\",\"type\":\"float64\",\"on_missing\":\"skip_row\"}],"
  "\"segments\":[{\"key\":\"key\",\"title\":{\"en\":\"Key accounts\"}},{\"key\":\"potential\",\"title\":{\"en\":\"High potential\"}},"
  "{\"key\":\"low\",\"title\":{\"en\":\"Low potential\"}},{\"key\":\"at_risk\",\"title\":{\"en\":\"At risk\"}}],"
  "\"config_schema\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
  "\"arr_min_minor\":{\"type\":\"integer\",\"minimum\":0,\"default\":5000000},"
  "\"seat_share_min\":{\"type\":\"number\",\"minimum\":0,\"maximum\":1,\"default\":0.6}}},"
  "\"limits\":{\"memory_mb\":64,\"ms_per_1k_rows\":1,\"threads\":1},"
  "\"examples\":[{\"config\":{},\"rows\":[[9000000,0.9],[9000000,0.2],[50000,0.9],[50000,0.2]],"
  "\"expect\":[\"key\",\"at_risk\",\"potential\",\"low\"]}]}");

enum { KEY, POTENTIAL, LOW, AT_RISK }; /* same order as "segments" above */

struct seg_instance {
  double arr_min_minor, seat_share_min;
  struct ArrowSchema column, *columns[1]; /* output schema, lent to the host by bind */
};

static seg_status fail(seg_error *err, seg_status code, const char *field, const char *message) {
  err->code = code;
  snprintf(err->field, sizeof err->field, "%s", field);
  snprintf(err->message, sizeof err->message, "%s", message);
  return code;
}

/* The config is canonical JSON (no spaces, defaults filled in), so a plain search finds a number of a flat object. */
static int number(const char *json, const char *key, double *value) {
  const char *at = strstr(json, key);
  char *end;
  if (at == NULL) return 0;
  *value = strtod(at + strlen(key), &end);
  return end != at + strlen(key);
}

static seg_status create(const seg_host *host, const char *config, size_t len, seg_instance **out, seg_error *err) {
  (void)host, (void)len; /* the host puts a NUL after the config */
  seg_instance *self = calloc(1, sizeof *self);
  if (self == NULL) return fail(err, SEG_E_RESOURCE, "", "out of memory");
  if (!number(config, "\"arr_min_minor\":", &self->arr_min_minor) || !number(config, "\"seat_share_min\":", &self->seat_share_min)) {
    free(self);
    return fail(err, SEG_E_INVALID_CONFIG, "", "arr_min_minor and seat_share_min must be numbers");
  }
  *out = self;
  return SEG_OK;
}

static void release_column(struct ArrowSchema *s) { s->release = NULL; }
static void release_schema(struct ArrowSchema *s) {
  if (s->children[0]->release != NULL) s->children[0]->release(s->children[0]);
  s->release = NULL;
}

static seg_status bind(seg_instance *self, const struct ArrowSchema *in, struct ArrowSchema *out, seg_error *err) {
  if (in->n_children != 2) return fail(err, SEG_E_INVALID_INPUT, "", "two columns expected");
  static const char *const formats[2] = {"l", "g"}; /* int64 minor units, float64 from 0 up */
  for (int64_t k = 0; k < 2; k++)
    if (strcmp(in->children[k]->format, formats[k]) != 0)
      return fail(err, SEG_E_INVALID_INPUT, in->children[k]->name, "unexpected type");
  self->column = (struct ArrowSchema){.format = "S", .name = "segment", .release = release_column};
  self->columns[0] = &self->column;
  *out = (struct ArrowSchema){.format = "+s", .name = "", .n_children = 1, .children = self->columns, .release = release_schema};
  return SEG_OK;
}

/* One block holds the child array, the pointer tables and the values: one malloc, one free. */
struct result {
  struct ArrowArray column, *columns[1];
  const void *root_buffers[1], *column_buffers[2];
  uint16_t values[];
};
static void release_values(struct ArrowArray *a) { a->release = NULL; }
static void release_result(struct ArrowArray *a) {
  free(a->private_data);
  a->release = NULL;
}

static const double *doubles(const struct ArrowArray *a) { return (const double *)a->buffers[1] + a->offset; }
static const int64_t *integers(const struct ArrowArray *a) { return (const int64_t *)a->buffers[1] + a->offset; }

static seg_status segment(seg_instance *self, const seg_call *call, struct ArrowArray *in, struct ArrowArray *out, seg_error *err) {
  int64_t rows = in->length;
  struct result *r = calloc(1, sizeof *r + (size_t)rows * sizeof r->values[0]);
  if (r == NULL) return fail(err, SEG_E_RESOURCE, "", "out of memory"); /* the host releases the input */
  const int64_t *arr_minor = rows > 0 ? integers(in->children[0]) : NULL;
  const double *seat_share = rows > 0 ? doubles(in->children[1]) : NULL;
  for (int64_t i = 0; i < rows; i++) {
    if ((i & 4095) == 0 && SEG_CANCELLED(call)) {
      free(r);
      return fail(err, SEG_E_CANCELLED, "", "cancelled");
    }
    int big = (double)arr_minor[i] >= self->arr_min_minor, well = seat_share[i] >= self->seat_share_min;
    if (seat_share[i] != seat_share[i]) r->values[i] = SEG_ABSTAIN; /* NaN */
    else r->values[i] = (uint16_t)(big ? (well ? KEY : AT_RISK) : (well ? POTENTIAL : LOW));
  }
  in->release(in); /* the earlier the better: the host can refill the buffer */
  r->column_buffers[1] = r->values;
  r->column = (struct ArrowArray){.length = rows, .n_buffers = 2, .buffers = r->column_buffers, .release = release_values};
  r->columns[0] = &r->column;
  *out = (struct ArrowArray){.length = rows, .n_buffers = 1, .buffers = r->root_buffers, .n_children = 1,
                             .children = r->columns, .release = release_result, .private_data = r};
  return SEG_OK;
}

static void destroy(seg_instance *self) { free(self); }

static const seg_plugin table = {
  .struct_size = sizeof(seg_plugin), .abi_major = SEG_ABI_MAJOR, .abi_minor = SEG_ABI_MINOR,
  .caps = SEG_CAP_THREAD_SAFE | SEG_CAP_DETERMINISTIC | SEG_CAP_ROW_INDEPENDENT,
  .descriptor_json = seg_descriptor, .descriptor_len = sizeof seg_descriptor - 1,
  .create = create, .bind = bind, .segment = segment, .destroy = destroy,
};

SEG_EXPORT const seg_plugin *seg_plugin_entry_v1(uint16_t host_abi_minor) {
  (void)host_abi_minor;
  return &table;
}
