/* A segmenter over 32 columns of float64: segment 1 where the sum of a row is above its configured limit, else 0. What it does on the
 * way, and its descriptor, are put in between at-signs. */
#include "segmenter.h"
#include <stdlib.h>
#include <string.h>

SEG_DESCRIPTOR("@DESCRIPTOR@");

struct seg_instance { int unused; };

static seg_status create(const seg_host *host, const char *config, size_t len, seg_instance **out, seg_error *err) {
  (void)host, (void)config, (void)len, (void)err;
  *out = calloc(1, sizeof **out);
  return *out == NULL ? SEG_E_RESOURCE : SEG_OK;
}

static void keep_schema(struct ArrowSchema *s) { s->release = NULL; }
static void keep_array(struct ArrowArray *a) { a->release = NULL; }
static struct ArrowSchema column_schema = {.format = "S", .name = "segment", .release = keep_schema};
static struct ArrowSchema *schema_children[] = {&column_schema};

static seg_status bind_columns(seg_instance *self, const struct ArrowSchema *in, struct ArrowSchema *out, seg_error *err) {
  (void)self, (void)in, (void)err;
  *out = (struct ArrowSchema){.format = "+s", .n_children = 1, .children = schema_children, .release = keep_schema};
  return SEG_OK;
}

struct result {
  struct ArrowArray column, *columns[1];
  const void *root[1], *buffers[2];
  uint16_t values[];
};
static void release(struct ArrowArray *a) { free(a->private_data); a->release = NULL; }

static seg_status segment(seg_instance *self, const seg_call *call, struct ArrowArray *in, struct ArrowArray *out, seg_error *err) {
  (void)self, (void)call, (void)err;
  int64_t rows = in->length;
  const double *columns[32];
  struct result *r = calloc(1, sizeof *r + ((size_t)rows + 1) * sizeof r->values[0]);
  if (r == NULL) return SEG_E_RESOURCE;
  for (int c = 0; c < 32; c++) columns[c] = (const double *)in->children[c]->buffers[1] + in->children[c]->offset;
  @DOES@
  for (int64_t k = 0; k < rows; k++) {
    double sum = 0;
    for (int c = 0; c < 32; c++) sum += columns[c][k];
    r->values[k] = sum > 16;
  }
  r->buffers[1] = r->values;
  r->column = (struct ArrowArray){.length = rows, .n_buffers = 2, .buffers = r->buffers, .release = keep_array};
  r->columns[0] = &r->column;
  *out = (struct ArrowArray){.length = rows, .n_buffers = 1, .buffers = r->root, .n_children = 1,
                             .children = r->columns, .release = release, .private_data = r};
  return SEG_OK;
}

static void destroy(seg_instance *self) { free(self); }

static const seg_plugin table = {
  .struct_size = sizeof(seg_plugin), .abi_major = SEG_ABI_MAJOR, .abi_minor = SEG_ABI_MINOR,
  .caps = SEG_CAP_DETERMINISTIC | SEG_CAP_ROW_INDEPENDENT,
  .descriptor_json = seg_descriptor, .descriptor_len = sizeof seg_descriptor - 1,
  .create = create, .bind = bind_columns, .segment = segment, .destroy = destroy,
};

SEG_EXPORT const seg_plugin *seg_plugin_entry_v1(uint16_t host_abi_minor) {
  (void)host_abi_minor;
  return &table;
}
