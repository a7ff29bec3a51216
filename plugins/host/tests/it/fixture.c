/* A segmenter over one int64 column; tests replace the parts between at-signs. */
#include "segmenter.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#pragma GCC diagnostic ignored "-Wmisleading-indentation" /* the replaced parts are one line each */

SEG_DESCRIPTOR("@DESCRIPTOR@");

struct seg_instance { char config[256]; };

@PRELUDE@

static seg_status create(const seg_host *host, const char *config, size_t len, seg_instance **out, seg_error *err) {
  (void)err;
  host->log(host->ctx, SEG_LOG_DEBUG, "created", 7, NULL, 0);
  host->metric(host->ctx, "instances", 1, SEG_METRIC_COUNTER);
  host->metric(host->ctx, "No name", 1, SEG_METRIC_COUNTER);
  *out = calloc(1, sizeof **out);
  if (*out != NULL) memcpy((*out)->config, config, len < 255 ? len : 255);
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

/* The answer: the values as segment indices. */
static seg_status answer(struct ArrowArray *out, const int64_t *values, int64_t rows) {
  struct result *r = calloc(1, sizeof *r + ((size_t)rows + 1) * sizeof r->values[0]);
  if (r == NULL) return SEG_E_RESOURCE;
  for (int64_t k = 0; k < rows; k++) r->values[k] = (uint16_t)values[k];
  r->buffers[1] = r->values;
  r->column = (struct ArrowArray){.length = rows, .n_buffers = 2, .buffers = r->buffers, .release = keep_array};
  r->columns[0] = &r->column;
  *out = (struct ArrowArray){.length = rows, .n_buffers = 1, .buffers = r->root, .n_children = 1,
                             .children = r->columns, .release = release, .private_data = r};
  return SEG_OK;
}

static seg_status segment(seg_instance *self, const seg_call *call, struct ArrowArray *in, struct ArrowArray *out, seg_error *err) {
  int64_t rows = in->length;
  const int64_t *values = (const int64_t *)in->children[0]->buffers[1] + in->children[0]->offset;
  (void)self, (void)call, (void)err, (void)values, (void)rows, (void)out, (void)answer;
  @SEGMENT@
}

/* The same reasons for every row: feature, contribution and the letter of the text, `per_row` of each. */
struct reason { uint16_t feature; float contribution; char letter; };
struct reasons {
  struct ArrowArray list, item, fields[3], *root_children[1], *list_children[1], *item_children[3];
  const void *none[1], *list_buffers[2], *feature_buffers[2], *contribution_buffers[2], *text_buffers[3];
  int32_t row_ends[129], text_ends[1025];
  uint16_t features[1024];
  float contributions[1024];
  char text[1024];
};

static seg_status reasons(struct ArrowArray *out, int64_t rows, int per_row, const struct reason *of) {
  struct reasons *r = calloc(1, sizeof *r);
  if (r == NULL || rows > 128 || per_row > 8) return SEG_E_RESOURCE;
  int n = 0;
  for (int64_t row = 0; row < rows; row++) {
    for (int k = 0; k < per_row; k++, n++) {
      r->features[n] = of[k].feature, r->contributions[n] = of[k].contribution, r->text[n] = of[k].letter;
      r->text_ends[n + 1] = n + 1;
    }
    r->row_ends[row + 1] = n;
  }
  r->list_buffers[1] = r->row_ends, r->feature_buffers[1] = r->features, r->contribution_buffers[1] = r->contributions;
  r->text_buffers[1] = r->text_ends, r->text_buffers[2] = r->text;
  r->fields[0] = (struct ArrowArray){.length = n, .n_buffers = 2, .buffers = r->feature_buffers, .release = keep_array};
  r->fields[1] = (struct ArrowArray){.length = n, .n_buffers = 2, .buffers = r->contribution_buffers, .release = keep_array};
  r->fields[2] = (struct ArrowArray){.length = n, .n_buffers = 3, .buffers = r->text_buffers, .release = keep_array};
  for (int k = 0; k < 3; k++) r->item_children[k] = &r->fields[k];
  r->item = (struct ArrowArray){.length = n, .n_buffers = 1, .buffers = r->none, .n_children = 3,
                                .children = r->item_children, .release = keep_array};
  r->list_children[0] = &r->item;
  r->list = (struct ArrowArray){.length = rows, .n_buffers = 2, .buffers = r->list_buffers, .n_children = 1,
                                .children = r->list_children, .release = keep_array};
  r->root_children[0] = &r->list;
  *out = (struct ArrowArray){.length = rows, .n_buffers = 1, .buffers = r->none, .n_children = 1,
                             .children = r->root_children, .release = release, .private_data = r};
  return SEG_OK;
}

static seg_status explain(seg_instance *self, const seg_call *call, uint32_t top_k, struct ArrowArray *in, struct ArrowArray *out, seg_error *err) {
  (void)self, (void)call, (void)top_k, (void)in, (void)out, (void)err, (void)reasons;
  @EXPLAIN@
}

static void destroy(seg_instance *self) { free(self); }

#pragma GCC diagnostic ignored "-Woverride-init"
static const seg_plugin table = {
  .struct_size = sizeof(seg_plugin), .abi_major = SEG_ABI_MAJOR, .abi_minor = SEG_ABI_MINOR,
  .caps = SEG_CAP_EXPLAIN, .explain = explain,
  .descriptor_json = seg_descriptor, .descriptor_len = sizeof seg_descriptor - 1,
  .create = create, .bind = bind_columns, .segment = segment, .destroy = destroy,
  @TABLE@
};

SEG_EXPORT const seg_plugin *seg_plugin_entry_v1(uint16_t host_abi_minor) {
  (void)host_abi_minor, (void)table;
  @ENTRY@
}
