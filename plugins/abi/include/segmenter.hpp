// segmenter.hpp - Sextant segmenters in C++17: a class becomes a plugin of segmenter.h, and no exception crosses its functions.
//
//   class Model {
//    public:
//     explicit Model(const sextant::Config &config);                                   // throws sextant::Refused
//                                                              // or (config, sextant::Host host), to log and to measure
//     std::uint16_t assign(const seg_call &call, const sextant::Rows &rows, std::int64_t row) const;
//     void explain(const seg_call &call, const sextant::Rows &rows, std::int64_t row, sextant::Reasons &reasons) const;
//   };
//   SEG_DESCRIPTOR("{...}");
//   SEXTANT_SEGMENTER(Model);
//
// assign answers with an index into "segments", SEG_NO_SEGMENT or SEG_ABSTAIN, and may depend on the configuration, the row and the
// call alone; calls of one instance may run at the same time, so it and explain are const. An exception of the class is an error of
// that call, and its instance is not called again.
#ifndef SEGMENTER_HPP
#define SEGMENTER_HPP
#include "segmenter.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

// What an instance is to the host.
struct seg_instance {
  seg_instance() = default;
  seg_instance(const seg_instance &) = delete;
  seg_instance &operator=(const seg_instance &) = delete;
  virtual ~seg_instance() = default;
};

namespace sextant {

// A configuration that a schema cannot refuse and the model does.
class Refused : public std::runtime_error {
 public:
  // pointer: JSON pointer of the value, such as "/limit".
  Refused(std::string pointer, const std::string &message) : std::runtime_error(message), pointer_(std::move(pointer)) {}
  const std::string &pointer() const noexcept { return pointer_; }

 private:
  std::string pointer_;
};

// The configuration: canonical JSON of one flat object, with every default filled in.
class Config {
 public:
  Config(const char *json, std::size_t length) : json_(json, length) {}

  double number(const std::string &name) const {
    const std::string value(raw(name));
    char *end = nullptr;
    const double number = std::strtod(value.c_str(), &end);
    if (value.empty() || *end != '\0') throw Refused("/" + name, "must be a number");
    return number;
  }
  std::int64_t integer(const std::string &name) const {
    const std::string value(raw(name));
    char *end = nullptr;
    const long long number = std::strtoll(value.c_str(), &end, 10);
    if (value.empty() || *end != '\0') throw Refused("/" + name, "must be a whole number");
    return number;
  }
  bool flag(const std::string &name) const {
    const std::string_view value = raw(name);
    if (value != "true" && value != "false") throw Refused("/" + name, "must be true or false");
    return value == "true";
  }
  const std::string &json() const noexcept { return json_; }

 private:
  // The value of a member, as it is written.
  std::string_view raw(const std::string &name) const {
    const std::string key = "\"" + name + "\":";
    bool quoted = false;
    for (std::size_t at = 0; at < json_.size(); ++at) {
      if (!quoted && json_.compare(at, key.size(), key) == 0) {
        const std::size_t begin = at + key.size();
        return std::string_view(json_).substr(begin, json_.find_first_of(",}", begin) - begin);
      }
      if (json_[at] == '\\') ++at;
      else if (json_[at] == '"') quoted = !quoted;
    }
    throw Refused("/" + name, "is missing");
  }
  std::string json_;
};

// Where a model says what it does: lines of a log, and measurements. A line is written at once: log seldom, and not per row. What is
// measured is told at the end of a call: counters are added up, of a gauge the last value counts, and of a histogram the first 1,000.
// It may be kept, and changes no answer.
class Host {
 public:
  explicit Host(const seg_host *host) : host_(host) {}

  void error(std::string_view message) const { log(SEG_LOG_ERROR, message); }
  void warn(std::string_view message) const { log(SEG_LOG_WARN, message); }
  void info(std::string_view message) const { log(SEG_LOG_INFO, message); }
  void debug(std::string_view message) const { log(SEG_LOG_DEBUG, message); }

  // Names are of [a-z0-9_], at most 64 characters.
  void count(const char *name, double more) const { measure(name, more, SEG_METRIC_COUNTER); }
  void gauge(const char *name, double value) const { measure(name, value, SEG_METRIC_GAUGE); }
  void histogram(const char *name, double value) const { measure(name, value, SEG_METRIC_HISTOGRAM); }

 private:
  void log(std::int32_t level, std::string_view message) const {
    if (host_ != nullptr) host_->log(host_->ctx, level, message.data(), message.size(), nullptr, 0);
  }
  void measure(const char *name, double value, std::int32_t kind) const {
    if (host_ != nullptr) host_->metric(host_->ctx, name, value, kind);
  }
  const seg_host *host_;
};

// A column of a batch. Which of the accessors fits is the type in the descriptor.
class Column {
 public:
  explicit Column(const ArrowArray &array) : array_(&array) {}

  bool known(std::int64_t row) const {
    const auto *bits = static_cast<const std::uint8_t *>(array_->buffers[0]);
    return bits == nullptr || bit(bits, row + array_->offset);
  }
  std::int64_t integer(std::int64_t row) const { return values<std::int64_t>()[row]; }
  double number(std::int64_t row) const { return values<double>()[row]; }
  bool flag(std::int64_t row) const {
    return bit(static_cast<const std::uint8_t *>(array_->buffers[1]), row + array_->offset);
  }
  // utf8, and dictionary<int32, utf8>.
  std::string_view text(std::int64_t row) const {
    if (array_->dictionary != nullptr) return Column(*array_->dictionary).text(values<std::int32_t>()[row]);
    const auto *offsets = values<std::int32_t>();
    const auto *bytes = static_cast<const char *>(array_->buffers[2]);
    return {bytes + offsets[row], static_cast<std::size_t>(offsets[row + 1] - offsets[row])};
  }

 private:
  template <class T>
  const T *values() const {
    return static_cast<const T *>(array_->buffers[1]) + array_->offset;
  }
  static bool bit(const std::uint8_t *bits, std::int64_t at) { return (bits[at / 8] >> (at % 8) & 1) != 0; }
  const ArrowArray *array_;
};

// A batch: columns in the order of the descriptor, required ones first.
class Rows {
 public:
  explicit Rows(const ArrowArray &array) : array_(&array) {}
  std::int64_t size() const { return array_->length; }
  Column column(std::int64_t index) const { return Column(*array_->children[index]); }

 private:
  const ArrowArray *array_;
};

// Why a row is where it is.
struct Reason {
  std::uint16_t feature;  // index of the column
  float contribution;     // signed; the greatest by amount is shown first
  std::string text;       // in words; empty: none
};
using Reasons = std::vector<Reason>;

namespace detail {

inline void put(char *to, std::size_t size, std::string_view text) {
  std::size_t length = std::min(text.size(), size - 1);
  // Not within a character.
  while (length < text.size() && length > 0 && (static_cast<unsigned char>(text[length]) & 0xC0u) == 0x80u) --length;
  std::memcpy(to, text.data(), length);
  to[length] = '\0';
}

inline seg_status fail(seg_error *error, seg_status code, std::string_view field, std::string_view message) {
  error->code = code;
  put(error->field, sizeof error->field, field);
  put(error->message, sizeof error->message, message);
  return code;
}

template <class Body>
seg_status guarded(seg_error *error, Body body) noexcept {
  try {
    return body();
  } catch (const Refused &refused) {
    return fail(error, SEG_E_INVALID_CONFIG, refused.pointer(), refused.what());
  } catch (const std::bad_alloc &) {
    return fail(error, SEG_E_RESOURCE, "", "out of memory");
  } catch (const std::exception &exception) {
    return fail(error, SEG_E_INTERNAL, "", exception.what());
  } catch (...) {
    return fail(error, SEG_E_INTERNAL, "", "an exception that says nothing");
  }
}

// An array that owns what it points at; its children are released with it.
struct Owned {
  ArrowArray array{};
  std::vector<const void *> buffers;
  std::vector<ArrowArray *> children;
};

inline void release_nothing(ArrowArray *array) { array->release = nullptr; }

// A batch of answers, or of reasons: everything that it points at is freed with it.
struct Batch {
  std::vector<std::uint16_t> segments, features;
  std::vector<float> contributions;
  std::vector<std::int32_t> reasons_of, bytes_of;
  std::string texts;
  std::vector<std::uint8_t> has_text;
  std::vector<std::unique_ptr<Owned>> arrays;

  ArrowArray *array(std::int64_t length, std::vector<const void *> buffers, std::vector<ArrowArray *> children) {
    auto owned = std::make_unique<Owned>();
    owned->buffers = std::move(buffers);
    owned->children = std::move(children);
    ArrowArray &array = owned->array;
    array.length = length;
    array.n_buffers = static_cast<std::int64_t>(owned->buffers.size());
    array.buffers = owned->buffers.data();
    array.n_children = static_cast<std::int64_t>(owned->children.size());
    array.children = owned->children.empty() ? nullptr : owned->children.data();
    array.release = release_nothing;
    arrays.push_back(std::move(owned));
    return &arrays.back()->array;
  }

  // Moves the batch to the host, with this one column.
  static void hand_over(std::unique_ptr<Batch> batch, std::int64_t rows, ArrowArray *column, ArrowArray *output) {
    *output = *batch->array(rows, {nullptr}, {column});
    output->private_data = batch.release();
    output->release = [](ArrowArray *root) {
      std::unique_ptr<Batch> owned(static_cast<Batch *>(root->private_data));
      root->release = nullptr;
    };
  }
};

template <class Model>
class Plugin {
  struct Instance final : seg_instance {
    Instance(const Config &config, Host host) : model(made(config, host)) {}
    static Model made(const Config &config, Host host) {
      if constexpr (std::is_constructible_v<Model, const Config &, Host>) return Model(config, host);
      else return (void)host, Model(config);
    }
    const Model model;
    ArrowSchema column{};
    ArrowSchema *columns[1] = {&column};
  };

  static seg_status create(const seg_host *host, const char *json, std::size_t length, seg_instance **out, seg_error *error) noexcept {
    return guarded(error, [&] {
      *out = new Instance(Config(json, length), Host(host));
      return static_cast<seg_status>(SEG_OK);
    });
  }

  static seg_status bind(seg_instance *self, const ArrowSchema *, ArrowSchema *output, seg_error *) noexcept {
    auto &instance = *static_cast<Instance *>(self);
    instance.column = ArrowSchema{};
    instance.column.format = "S";
    instance.column.name = "segment";
    instance.column.release = [](ArrowSchema *schema) { schema->release = nullptr; };
    *output = ArrowSchema{};
    output->format = "+s";
    output->name = "";
    output->n_children = 1;
    output->children = instance.columns;
    output->release = [](ArrowSchema *schema) {
      if (schema->children[0]->release != nullptr) schema->children[0]->release(schema->children[0]);
      schema->release = nullptr;
    };
    return SEG_OK;
  }

  static seg_status segment(seg_instance *self, const seg_call *call, ArrowArray *input, ArrowArray *output, seg_error *error) noexcept {
    return guarded(error, [&] {
      const Model &model = static_cast<Instance *>(self)->model;
      const Rows rows(*input);
      auto batch = std::make_unique<Batch>();
      batch->segments.reserve(static_cast<std::size_t>(rows.size()) + 1);
      for (std::int64_t row = 0; row < rows.size(); ++row) {
        if ((row & 4095) == 0 && SEG_CANCELLED(call)) return fail(error, SEG_E_CANCELLED, "", "cancelled");
        batch->segments.push_back(model.assign(*call, rows, row));
      }
      ArrowArray *column = batch->array(rows.size(), {nullptr, batch->segments.data()}, {});
      Batch::hand_over(std::move(batch), rows.size(), column, output);
      return static_cast<seg_status>(SEG_OK);
    });
  }

  static seg_status explain(seg_instance *self, const seg_call *call, std::uint32_t top_k, ArrowArray *input, ArrowArray *output, seg_error *error) noexcept {
    return guarded(error, [&] {
      const Model &model = static_cast<Instance *>(self)->model;
      const Rows rows(*input);
      auto batch = std::make_unique<Batch>();
      batch->reasons_of.push_back(0);
      batch->bytes_of.push_back(0);
      for (std::int64_t row = 0; row < rows.size(); ++row) {
        if ((row & 4095) == 0 && SEG_CANCELLED(call)) return fail(error, SEG_E_CANCELLED, "", "cancelled");
        Reasons reasons;
        model.explain(*call, rows, row, reasons);
        const auto strength = [](const Reason &reason) { return reason.contribution < 0 ? -reason.contribution : reason.contribution; };
        std::stable_sort(reasons.begin(), reasons.end(), [&](const Reason &left, const Reason &right) { return strength(left) > strength(right); });
        if (reasons.size() > top_k) reasons.resize(top_k);
        for (const Reason &reason : reasons) add(*batch, reason);
        batch->reasons_of.push_back(static_cast<std::int32_t>(batch->features.size()));
      }
      const auto n_reasons = static_cast<std::int64_t>(batch->features.size());
      // An empty vector may point at nothing, which a buffer must not.
      batch->features.reserve(1);
      batch->contributions.reserve(1);
      batch->has_text.resize(batch->has_text.size() + 1);
      ArrowArray *feature = batch->array(n_reasons, {nullptr, batch->features.data()}, {});
      ArrowArray *contribution = batch->array(n_reasons, {nullptr, batch->contributions.data()}, {});
      ArrowArray *text = batch->array(n_reasons, {batch->has_text.data(), batch->bytes_of.data(), batch->texts.data()}, {});
      text->null_count = -1;
      ArrowArray *item = batch->array(n_reasons, {nullptr}, {feature, contribution, text});
      ArrowArray *list = batch->array(rows.size(), {nullptr, batch->reasons_of.data()}, {item});
      Batch::hand_over(std::move(batch), rows.size(), list, output);
      return static_cast<seg_status>(SEG_OK);
    });
  }

  static void add(Batch &batch, const Reason &reason) {
    const std::size_t at = batch.features.size();
    if (at % 8 == 0) batch.has_text.push_back(0);
    if (!reason.text.empty()) batch.has_text[at / 8] = static_cast<std::uint8_t>(batch.has_text[at / 8] | 1u << (at % 8));
    batch.features.push_back(reason.feature);
    batch.contributions.push_back(reason.contribution);
    batch.texts += reason.text;
    batch.bytes_of.push_back(static_cast<std::int32_t>(batch.texts.size()));
  }

  static void destroy(seg_instance *self) noexcept { delete self; }

 public:
  static const seg_plugin *table(const char *descriptor, std::size_t length) noexcept {
    static seg_plugin table{};
    table.struct_size = sizeof table;
    table.abi_major = SEG_ABI_MAJOR;
    table.abi_minor = SEG_ABI_MINOR;
    table.caps = SEG_CAP_THREAD_SAFE | SEG_CAP_DETERMINISTIC | SEG_CAP_ROW_INDEPENDENT | SEG_CAP_EXPLAIN;
    table.descriptor_json = descriptor;
    table.descriptor_len = length;
    table.create = create;
    table.bind = bind;
    table.segment = segment;
    table.destroy = destroy;
    table.explain = explain;
    return &table;
  }
};

}  // namespace detail
}  // namespace sextant

// Makes a class the segmenter of this shared object. Once, behind SEG_DESCRIPTOR.
#define SEXTANT_SEGMENTER(Model)                                                                    \
  extern "C" SEG_EXPORT const seg_plugin *seg_plugin_entry_v1(std::uint16_t host_abi_minor) {         \
    (void)host_abi_minor;                                                                            \
    return ::sextant::detail::Plugin<Model>::table(seg_descriptor, sizeof seg_descriptor - 1);       \
  }                                                                                                  \
  static_assert(true, "ends with a semicolon")

#endif
