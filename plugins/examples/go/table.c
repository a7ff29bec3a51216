/* What the host reads: the descriptor in its section, and the table of functions, which are Go's. */
#include "segmenter.h"
#include "_cgo_export.h"

SEG_DESCRIPTOR(
  "{\"id\":\"example.plan_fit\",\"version\":\"1.0.0\",\"abi\":\"1.0\",\"title\":{\"en\":\"Plan fit\"},"
  "\"license\":\"Apache-2.0\",\"output\":\"single\",\"platforms\":[\"linux_amd64\",\"linux_arm64\"],"
  "\"requires\":[{\"feature\":\"revenue.seats\",\"type\":\"int64\",\"on_missing\":\"skip_row\"},"
  "{\"feature\":\"usage.seat_share\",\"type\":\"float64\",\"on_missing\":\"skip_row\"}],"
  "\"segments\":[{\"key\":\"upgrade\",\"title\":{\"en\":\"Ready for a greater plan\"}},"
  "{\"key\":\"fits\",\"title\":{\"en\":\"Fits its plan\"}},{\"key\":\"shrink\",\"title\":{\"en\":\"Pays for more than it uses\"}}],"
  "\"config_schema\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
  "\"full_from\":{\"type\":\"number\",\"minimum\":0,\"maximum\":1,\"default\":0.9},"
  "\"idle_below\":{\"type\":\"number\",\"minimum\":0,\"maximum\":1,\"default\":0.4}}},"
  "\"limits\":{\"memory_mb\":512,\"ms_per_1k_rows\":2,\"threads\":16},"
  "\"examples\":[{\"config\":{},\"rows\":[[10,0.95],[10,0.6],[10,0.1]],\"expect\":[\"upgrade\",\"fits\",\"shrink\"]}]}");

static void release_schema(struct ArrowSchema *s) { s->release = NULL; }
static struct ArrowSchema column = {.format = "S", .name = "segment", .release = release_schema};
static struct ArrowSchema *columns[1] = {&column};

static seg_status create(const seg_host *host, const char *config, size_t len, seg_instance **out, seg_error *err) {
  (void)host;
  return goCreate((char *)config, len, (void **)out, err);
}

static seg_status bind_columns(seg_instance *self, const struct ArrowSchema *in, struct ArrowSchema *out, seg_error *err) {
  (void)self, (void)in, (void)err;
  column.release = release_schema;
  *out = (struct ArrowSchema){.format = "+s", .name = "", .n_children = 1, .children = columns, .release = release_schema};
  return SEG_OK;
}

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

static seg_status segment(seg_instance *self, const seg_call *call, struct ArrowArray *in, struct ArrowArray *out, seg_error *err) {
  int64_t rows = in->length;
  struct result *r = calloc(1, sizeof *r + ((size_t)rows + 1) * sizeof r->values[0]);
  if (r == NULL) return SEG_E_RESOURCE;
  const int64_t *seats = rows > 0 ? (const int64_t *)in->children[0]->buffers[1] + in->children[0]->offset : NULL;
  const double *shares = rows > 0 ? (const double *)in->children[1]->buffers[1] + in->children[1]->offset : NULL;
  seg_status status = goSegment(self, (void *)call->cancel, rows, (void *)seats, (void *)shares, r->values, err);
  if (status != SEG_OK) {
    free(r);
    return status;
  }
  r->column_buffers[1] = r->values;
  r->column = (struct ArrowArray){.length = rows, .n_buffers = 2, .buffers = r->column_buffers, .release = release_values};
  r->columns[0] = &r->column;
  *out = (struct ArrowArray){.length = rows, .n_buffers = 1, .buffers = r->root_buffers, .n_children = 1,
                             .children = r->columns, .release = release_result, .private_data = r};
  return SEG_OK;
}

static void destroy(seg_instance *self) { goDestroy(self); }

/* Its run-time has threads and handlers of its own and cannot be unloaded: in a process of its own, and nowhere else. */
static const seg_plugin table = {
  .struct_size = sizeof(seg_plugin), .abi_major = SEG_ABI_MAJOR, .abi_minor = SEG_ABI_MINOR,
  .caps = SEG_CAP_ISOLATED_ONLY | SEG_CAP_THREAD_SAFE | SEG_CAP_DETERMINISTIC | SEG_CAP_ROW_INDEPENDENT,
  .descriptor_json = seg_descriptor, .descriptor_len = sizeof seg_descriptor - 1,
  .create = create, .bind = bind_columns, .segment = segment, .destroy = destroy,
};

SEG_EXPORT const seg_plugin *seg_plugin_entry_v1(uint16_t host_abi_minor) {
  (void)host_abi_minor;
  return &table;
}
