// seat_pressure.cpp - a complete Sextant segmenter in C++17: who is about to run out of seats, and who pays for empty ones.
// Build, in this folder:
//   c++ -O2 -std=c++17 -Wall -Wextra -fvisibility=hidden -shared -fPIC -I ../../abi/include -o seat_pressure.so seat_pressure.cpp
#include "segmenter.hpp"

#include <cmath>

SEG_DESCRIPTOR(
    "{\"id\":\"example.seat_pressure\",\"version\":\"1.0.0\",\"abi\":\"1.0\",\"title\":{\"en\":\"Seat pressure\"},"
    "\"license\":\"Apache-2.0\",\"output\":\"single\",\"platforms\":[\"linux_amd64\",\"linux_arm64\"],"
    "\"requires\":[{\"feature\":\"usage.seat_share\",\"type\":\"float64\",\"on_missing\":\"skip_row\"}],"
    "\"optional\":[{\"feature\":\"revenue.seats\",\"type\":\"int64\",\"nullable\":true,\"on_missing\":\"null\"}],"
    "\"segments\":[{\"key\":\"full\",\"title\":{\"en\":\"Out of seats\"}},{\"key\":\"fitting\",\"title\":{\"en\":\"Fitting\"}},"
    "{\"key\":\"empty\",\"title\":{\"en\":\"Empty seats\"}}],"
    "\"config_schema\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
    "\"full_from\":{\"type\":\"number\",\"minimum\":0,\"maximum\":1,\"default\":0.9},"
    "\"empty_below\":{\"type\":\"number\",\"minimum\":0,\"maximum\":1,\"default\":0.4}}},"
    "\"limits\":{\"memory_mb\":64,\"ms_per_1k_rows\":1,\"threads\":1},"
    "\"examples\":[{\"config\":{},\"rows\":[[0.95,10],[0.6,null],[0.1,20],[null,5]],"
    "\"expect\":[\"full\",\"fitting\",\"empty\",null]}]}");

namespace {

enum Segment : std::uint16_t { FULL, FITTING, EMPTY };        // the order of "segments"
enum Feature : std::uint16_t { SEAT_SHARE, SEATS };           // the order of "requires", then "optional"

class SeatPressure {
 public:
  SeatPressure(const sextant::Config &config, sextant::Host host)
      : host_(host), full_from_(config.number("full_from")), empty_below_(config.number("empty_below")) {
    if (empty_below_ > full_from_) throw sextant::Refused("/empty_below", "must not be above full_from");
  }

  std::uint16_t assign(const seg_call &, const sextant::Rows &rows, std::int64_t row) const {
    const double share = rows.column(SEAT_SHARE).number(row);
    if (std::isnan(share)) {
      host_.count("shares_not_a_number", 1);
      return SEG_ABSTAIN;
    }
    return share >= full_from_ ? FULL : share < empty_below_ ? EMPTY : FITTING;
  }

  void explain(const seg_call &, const sextant::Rows &rows, std::int64_t row, sextant::Reasons &reasons) const {
    const double share = rows.column(SEAT_SHARE).number(row);
    if (!std::isfinite(share)) return;
    const auto percent = static_cast<long long>(std::llround(std::min(std::max(share, -1e9), 1e9) * 100));
    reasons.push_back({SEAT_SHARE, 1.0F, std::to_string(percent) + " % of the seats are in use"});
    const sextant::Column seats = rows.column(SEATS);
    if (seats.known(row)) reasons.push_back({SEATS, 0.0F, std::to_string(seats.integer(row)) + " seats are paid for"});
  }

 private:
  sextant::Host host_;
  double full_from_, empty_below_;
};

}  // namespace

SEXTANT_SEGMENTER(SeatPressure);
