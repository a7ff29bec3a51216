//! Names of accounts that no real company is meant by.

use crate::generate::draw::Draw;

const STEMS: [&str; 36] = [
    "Alder", "Amber", "Ardent", "Basalt", "Birch", "Blue", "Bright", "Cedar", "Clear", "Cobalt",
    "Copper", "Coral", "Drift", "Ember", "Fen", "Flint", "Glen", "Granite", "Harbor", "Hazel",
    "Indigo", "Iron", "Juniper", "Lark", "Maple", "North", "Oak", "Opal", "Pine", "Quartz",
    "River", "Saffron", "Silver", "Tall", "Umber", "Willow",
];
const ENDINGS: [&str; 28] = [
    "bay", "bridge", "brook", "burn", "cliff", "crest", "croft", "dale", "field", "ford", "gate",
    "grove", "haven", "hill", "lane", "light", "mark", "mere", "moor", "path", "point", "ridge",
    "shore", "stead", "stone", "vale", "wharf", "wood",
];
const FORMS: [&str; 14] = [
    "Analytics",
    "Foods",
    "Freight",
    "Group",
    "Health",
    "Labs",
    "Learning",
    "Logistics",
    "Media",
    "Partners",
    "Retail",
    "Software",
    "Systems",
    "Works",
];
const TITLES: [&str; 12] = [
    "Analyst",
    "Coordinator",
    "Director",
    "Engineer",
    "Head of Team",
    "Lead",
    "Manager",
    "Operator",
    "Planner",
    "Product Owner",
    "Specialist",
    "Vice President",
];
const DEPARTMENTS: [&str; 6] = [
    "Engineering",
    "Finance",
    "Marketing",
    "Operations",
    "Sales",
    "Support",
];
const OWNERS: [&str; 6] = [
    "csm-ada",
    "csm-bruno",
    "csm-chen",
    "csm-dalia",
    "csm-edwin",
    "csm-farah",
];
const INDUSTRIES: [&str; 10] = [
    "construction",
    "education",
    "finance",
    "health",
    "hospitality",
    "logistics",
    "manufacturing",
    "media",
    "retail",
    "software",
];

/// A name such as `Alderbrook Freight`. Two accounts may share one, as companies do.
pub(crate) fn account(draw: &mut Draw) -> String {
    format!(
        "{}{} {}",
        draw.pick(&STEMS),
        draw.pick(&ENDINGS),
        draw.pick(&FORMS)
    )
}

pub(crate) fn title(draw: &mut Draw) -> &'static str {
    draw.pick(&TITLES)
}

pub(crate) fn department(draw: &mut Draw) -> &'static str {
    draw.pick(&DEPARTMENTS)
}

/// Id of the person who looks after an account.
pub(crate) fn owner(draw: &mut Draw) -> &'static str {
    draw.pick(&OWNERS)
}

pub(crate) fn industry(draw: &mut Draw) -> &'static str {
    draw.pick(&INDUSTRIES)
}
