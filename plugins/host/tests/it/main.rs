//! The host against real shared objects: the built-in segmenters, the C example, and fixtures that break the contract.

#[cfg(test)]
mod archive;
#[cfg(test)]
mod built_ins;
#[cfg(test)]
mod c_example;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod cpp_example;
#[cfg(test)]
mod damaged;
#[cfg(test)]
mod explanation;
#[cfg(test)]
mod external;
#[cfg(test)]
mod fitted;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod go_example;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod missing;
#[cfg(test)]
mod mutants;
#[cfg(test)]
mod needs;
#[cfg(test)]
mod python;
#[cfg(test)]
mod refused;
#[cfg(test)]
mod remote;
#[cfg(test)]
mod rust_plugins;
#[cfg(test)]
mod sandboxed;
#[cfg(test)]
mod scores;
