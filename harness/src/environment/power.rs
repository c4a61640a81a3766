//! What the machine draws its power from: the power supplies the kernel lists, else what `pmset` prints.

use super::conditions::PowerSource;
use super::source::{Files, ask};

const SUPPLIES: &str = "sys/class/power_supply";

/// Finds out. A machine that lists no supply, as a server or a virtual machine, has none to tell.
pub(super) fn look(files: &Files) -> Result<PowerSource, String> {
    match files.entries(SUPPLIES) {
        Ok(supplies) => {
            of_supplies(files, &supplies).ok_or_else(|| format!("/{SUPPLIES} lists no power source"))
        }
        Err(_) => {
            let text = ask("pmset", &["-g", "batt"])?;
            parse(&text).ok_or_else(|| "pmset lists no power source".to_owned())
        }
    }
}

fn of_supplies(files: &Files, supplies: &[String]) -> Option<PowerSource> {
    let text = |supply: &String, name: &str| files.text(&format!("{supply}/{name}")).unwrap_or_default();
    // A mouse has a battery too.
    let of_the_machine = supplies.iter().filter(|supply| text(supply, "scope") != "Device");
    let mut found = None;
    for supply in of_the_machine {
        let battery = ["Battery", "UPS"].contains(&text(supply, "type").as_str());
        if !battery && text(supply, "online") == "1" {
            return Some(PowerSource::Mains);
        }
        match text(supply, "status").as_str() {
            "Discharging" if battery => found = Some(PowerSource::Battery),
            // A charging or full battery is fed by something, even when no other supply is listed.
            "Charging" | "Full" | "Not charging" if battery => {
                found.get_or_insert(PowerSource::Mains);
            }
            _ => {}
        }
    }
    found
}

/// Reads the first line of `pmset -g batt`, for example `Now drawing from 'AC Power'`.
fn parse(text: &str) -> Option<PowerSource> {
    let (_, rest) = text.split_once("drawing from '")?;
    match rest.split('\'').next()? {
        "AC Power" => Some(PowerSource::Mains),
        "Battery Power" | "UPS Power" => Some(PowerSource::Battery),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_is_read_from_what_pmset_prints() {
        let plugged = "Now drawing from 'AC Power'\n -InternalBattery-0 (id=24182883)\t100%; charged; 0:00 remaining \
                       present: true\n";
        let unplugged = "Now drawing from 'Battery Power'\n -InternalBattery-0 (id=24182883)\t72%; discharging; \
                         3:15 remaining present: true\n";
        assert_eq!(parse(plugged), Some(PowerSource::Mains));
        assert_eq!(parse(unplugged), Some(PowerSource::Battery));
        assert_eq!(parse("Now drawing from 'UPS Power'\n"), Some(PowerSource::Battery));
        assert_eq!(parse("No batteries\n"), None);
    }

    fn listed(supplies: &[(&str, &[(&str, &str)])]) -> Result<PowerSource, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join(SUPPLIES)).unwrap();
        for (supply, files) in supplies {
            let place = folder.path().join(SUPPLIES).join(supply);
            std::fs::create_dir_all(&place).unwrap();
            for (name, text) in *files {
                std::fs::write(place.join(name), format!("{text}\n")).unwrap();
            }
        }
        look(&Files::below(folder.path()))
    }

    #[test]
    fn the_source_is_read_from_the_supplies_the_kernel_lists() {
        let battery = |status| [("type", "Battery"), ("status", status), ("scope", "System")];
        let unplugged = listed(&[
            ("AC", &[("type", "Mains"), ("online", "0")]),
            ("BAT0", &battery("Discharging")),
            ("BAT1", &battery("Full")),
        ]);
        assert_eq!(unplugged, Ok(PowerSource::Battery));
        let plugged =
            listed(&[("BAT0", &battery("Discharging")), ("ucsi", &[("type", "USB"), ("online", "1")])]);
        assert_eq!(plugged, Ok(PowerSource::Mains), "a supply that is online feeds the machine");
        assert_eq!(listed(&[("BAT0", &battery("Full"))]), Ok(PowerSource::Mains));
    }

    #[test]
    fn the_battery_of_a_mouse_is_not_the_machines() {
        let mouse = [("type", "Battery"), ("status", "Discharging"), ("scope", "Device")];
        let reason = listed(&[("hidpp", &mouse)]).unwrap_err();
        assert_eq!(reason, "/sys/class/power_supply lists no power source");
        assert_eq!(listed(&[]).unwrap_err(), reason);
    }
}
