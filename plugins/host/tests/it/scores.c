/* Answers a score, the mean of a list, and no score for an empty list or one with unknown items. */
#include "segmenter.h"
#include <math.h>
#include <stdlib.h>

SEG_DESCRIPTOR("{\"id\":\"test.scores\",\"version\":\"1.0.0\",\"abi\":\"1.0\",\"title\":\"Scores\",\"output\":\"score\","
               "\"requires\":[{\"feature\":\"test.daily\",\"type\":\"list<float64>\",\"on_missing\":\"skip_row\"}],"
               "\"segments\":[{\"key\":\"rest\"},{\"key\":\"high\",\"from_score\":10},{\"key\":\"middle\",\"from_score\":2.5}]}");

struct seg_instance { struct ArrowSchema column, *columns[1]; };

static seg_status create(const seg_host *host, const char *config, size_t len, seg_instance **out, seg_error *err) {
  (void)host, (void)config, (void)len, (void)err;
  *out = calloc(1, sizeof **out);
  return *out == NULL ? SEG_E_RESOURCE : SEG_OK;
}

static void release_schema(struct ArrowSchema *s) { s->release = NULL; }

static seg_status bind_columns(seg_instance *self, const struct ArrowSchema *in, struct ArrowSchema *out, seg_error *err) {
  (void)in, (void)err;
  self->column = (struct ArrowSchema){.format = FORMAT, .name = "score", .release = release_schema};
  self->columns[0] = &self->column;
  *out = (struct ArrowSchema){.format = "+s", .name = "", .n_children = 1, .children = self->columns, .release = release_schema};
  return SEG_OK;
}

struct result { struct ArrowArray column, *columns[1]; const void *root_buffers[1], *column_buffers[2]; float values[]; };
static void release_values(struct ArrowArray *a) { a->release = NULL; }
static void release_result(struct ArrowArray *a) { free(a->private_data); a->release = NULL; }

static seg_status segment(seg_instance *self, const seg_call *call, struct ArrowArray *in, struct ArrowArray *out, seg_error *err) {
  (void)self, (void)call, (void)err;
  const struct ArrowArray *lists = in->children[0], *items = lists->children[0];
  const int32_t *ends = (const int32_t *)lists->buffers[1] + lists->offset;
  const double *values = (const double *)items->buffers[1] + items->offset;
  const uint8_t *valid = items->buffers[0];
  struct result *r = calloc(1, sizeof *r + ((size_t)in->length + 1) * sizeof r->values[0]);
  if (r == NULL) return SEG_E_RESOURCE;
  for (int64_t row = 0; row < in->length; row++) {
    double sum = ends[row] == ends[row + 1] ? NAN : 0;
    for (int32_t k = ends[row]; k < ends[row + 1]; k++) {
      int64_t at = k + items->offset;
      sum += valid == NULL || (valid[at / 8] >> (at % 8) & 1) ? values[k] : NAN;
    }
    float mean = (float)(sum / (ends[row + 1] - ends[row]));
    r->values[row] = isfinite(mean) ? mean : NAN;
  }
  r->column_buffers[1] = r->values;
  r->column = (struct ArrowArray){.length = in->length, .n_buffers = 2, .buffers = r->column_buffers, .release = release_values};
  r->columns[0] = &r->column;
  *out = (struct ArrowArray){.length = in->length, .n_buffers = 1, .buffers = r->root_buffers, .n_children = 1,
                             .children = r->columns, .release = release_result, .private_data = r};
  return SEG_OK;
}

static void destroy(seg_instance *self) { free(self); }

static const seg_plugin table = {
  .struct_size = sizeof(seg_plugin), .abi_major = SEG_ABI_MAJOR, .abi_minor = SEG_ABI_MINOR,
  .caps = SEG_CAP_DETERMINISTIC | SEG_CAP_ROW_INDEPENDENT,
  .descriptor_json = seg_descriptor, .descriptor_len = sizeof seg_descriptor - 1,
  .create = create, .bind = bind_columns, .segment = segment, .destroy = destroy,
};

SEG_EXPORT const seg_plugin *seg_plugin_entry_v1(uint16_t host_abi_minor) { (void)host_abi_minor; return &table; }
